package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestReasonOfNetwork makes calls fail in each way, and checks the reason that is stored.
func TestReasonOfNetwork(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // for the handshake that the client aborts
	secure.StartTLS()
	defer secure.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for name, row := range map[string]struct {
		url, want string
		timeout   time.Duration
		dial      func(context.Context, string, string) (net.Conn, error)
	}{
		"refused":          {url: closed.URL, want: "connection refused"},
		"plain HTTP":       {url: "https://" + plain.Listener.Addr().String(), want: "the TLS handshake failed"},
		"certificate":      {url: secure.URL, want: "the receiver's certificate is not accepted"},
		"no response":      {url: "http://" + silent.Addr().String(), timeout: 50 * time.Millisecond, want: "no response in time"},
		"name not found":   {url: "http://none.invalid", dial: failing(&net.DNSError{Err: "no such host", Name: "none.invalid", IsNotFound: true}), want: "the receiver's name was not found"},
		"lookup timed out": {url: "http://none.invalid", dial: failing(&net.DNSError{Err: "i/o timeout", Name: "none.invalid", IsTimeout: true}), want: "the lookup of the receiver's name failed"},
		"unreachable":      {url: "http://none.invalid", dial: failing(net.UnknownNetworkError("none")), want: "no connection"},
		"closed":           {url: "http://none.invalid", dial: hangUp, want: "no response"},
	} {
		if row.timeout == 0 {
			row.timeout = 10 * time.Second
		}
		ctx, cancel := context.WithTimeout(t.Context(), row.timeout)
		transport := &http.Transport{DialContext: row.dial, TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, row.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(r)
		if err == nil {
			_ = response.Body.Close()
			t.Errorf("%s: no error", name)
		} else if got := reason(err); got != row.want {
			t.Errorf("%s: reason %q, want %q; the error is %v", name, got, row.want, err)
		}
		cancel()
		transport.CloseIdleConnections()
	}
}

// failing returns a dialer that fails with cause, wrapped as by [net.Dialer].
func failing(cause error) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, _ string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: cause}
	}
}

// hangUp is a dialer whose server closes every connection.
func hangUp(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	return client, server.Close()
}
