package wire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
)

// sendH1 writes the request's bytes unchanged and reads one response.
func (c *Client) sendH1(ctx context.Context, r *Request) (*Response, error) {
	conn, err := c.dial(ctx, alpnH1)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	written := make(chan error, 1)
	go func() { // a gateway may respond and stop reading before it has the whole request
		_, err := conn.Write(r.Bytes(c.Host))
		written <- err
	}()
	response, err := readH1(bufio.NewReader(conn), r.method())
	if err != nil {
		_ = conn.Close()
		if writeErr := <-written; writeErr != nil {
			return nil, fmt.Errorf("sending: %w", writeErr)
		}
		return nil, err
	}
	return response, nil
}

func readH1(in *bufio.Reader, method string) (*Response, error) {
	raw, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	defer func() { _ = raw.Body.Close() }()
	response := &Response{Status: raw.StatusCode}
	for name, values := range raw.Header {
		for _, value := range values {
			response.Header = append(response.Header, Field{name, value})
		}
	}
	if raw.StatusCode == http.StatusSwitchingProtocols || method == http.MethodConnect {
		return response, nil // a tunnel has no end
	}
	body, err := io.ReadAll(io.LimitReader(raw.Body, maxResponse))
	response.Body = string(body)
	if err != nil {
		return response, fmt.Errorf("reading the response's body: %w", err)
	}
	return response, nil
}
