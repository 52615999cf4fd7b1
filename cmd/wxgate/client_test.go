package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// response is a response with its whole body, read.
type response struct {
	status int
	body   string
}

// member is a string member of a JSON body, "" when there is none.
func (r response) member(name string) string {
	var v map[string]any
	if json.Unmarshal([]byte(r.body), &v) != nil {
		return ""
	}
	s, _ := v[name].(string)
	return s
}

// client keeps no connection: gateways come and go under one address.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

func testContext() context.Context { return context.Background() }

// ask sends a request; header lines are "name: value".
func ask(method, url, body string, header ...string) (response, error) {
	r, err := http.NewRequestWithContext(testContext(), method, url, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	received, err := client.Do(r)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = received.Body.Close() }()
	text, err := io.ReadAll(received.Body)
	return response{received.StatusCode, string(text)}, err
}
