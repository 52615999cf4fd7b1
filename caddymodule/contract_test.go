package caddymodule_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// contract is an OpenAPI document with which requests and responses are compared.
type contract struct {
	doc    *openapi3.T
	router routers.Router
	called map[string]bool // the calls that were made, such as "GET /path"
}

func newContract(t *testing.T, text []byte) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("the document is OpenAPI %s", doc.OpenAPI)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{doc, router, map[string]bool{}}
}

// check compares a response with the document, and also the request if it succeeded.
func (c *contract) check(t *testing.T, method, path, body string, sent http.Header, status int, header http.Header, text []byte) {
	t.Helper()
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = sent
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		t.Errorf("%s %s is not in the document: %v", method, path, err)
		return
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	request := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if status < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(context.Background(), request); err != nil {
			t.Errorf("%s %s was accepted, but differs from the document: %v", method, path, err)
		}
	}
	input := (&openapi3filter.ResponseValidationInput{RequestValidationInput: request, Status: status, Header: header, Options: options}).SetBodyBytes(text)
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		t.Errorf("%s %s returned %d %s, which differs from the document: %v", method, path, status, text, err)
	}
	c.called[method+" "+route.Path] = true
}

// operations returns all documented calls, as "GET /path".
func (c *contract) operations() []string {
	var all []string
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			all = append(all, method+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// complete fails the test for documented calls that were not made.
func (c *contract) complete(t *testing.T) {
	t.Helper()
	for _, name := range c.operations() {
		if !c.called[name] {
			t.Errorf("%s is documented and was not called", name)
		}
	}
}

// TestContractFails checks that a contract reports every difference from its document.
func TestContractFails(t *testing.T) {
	const text = `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"description":"d","content":{
		"application/json":{"schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}}}}}}}}}`
	c := newContract(t, []byte(text))
	header := http.Header{"Content-Type": {"application/json"}}
	for _, test := range []struct {
		path, body string
		status     int
		fails      bool
	}{
		{"/a", `{"n":1}`, 200, false},
		{"/a", `{"n":"1"}`, 200, true},
		{"/a", `{"n":1,"m":2}`, 200, true},
		{"/a", `{}`, 200, true},
		{"/a", `{"n":1}`, 201, true},
		{"/b", `{"n":1}`, 200, true},
	} {
		inner := new(testing.T)
		c.check(inner, "GET", test.path, "", http.Header{}, test.status, header, []byte(test.body))
		if inner.Failed() != test.fails {
			t.Errorf("%d %s %s: failed is %t", test.status, test.path, test.body, inner.Failed())
		}
	}
}
