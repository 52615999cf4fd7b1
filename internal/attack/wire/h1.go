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
	answer, err := readH1(bufio.NewReader(conn), r.method())
	if err != nil {
		_ = conn.Close()
		if writeErr := <-written; writeErr != nil {
			return nil, fmt.Errorf("sending: %w", writeErr)
		}
		return nil, err
	}
	return answer, nil
}

func readH1(in *bufio.Reader, method string) (*Response, error) {
	response, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := &Response{Status: response.StatusCode}
	for name, values := range response.Header {
		for _, value := range values {
			answer.Header = append(answer.Header, Field{name, value})
		}
	}
	if response.StatusCode == http.StatusSwitchingProtocols || method == http.MethodConnect {
		return answer, nil // a tunnel has no end
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	answer.Body = string(body)
	if err != nil {
		return answer, fmt.Errorf("reading the response's body: %w", err)
	}
	return answer, nil
}
