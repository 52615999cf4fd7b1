package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Own is a service of the user's, which `wxgate dev` puts behind its gateway.
type Own struct {
	Address string // host:port
}

// Parse reads the address of a service: host:port, a port of this machine, or the URL of
// either without a path.
func Parse(text string) (*Own, error) {
	address, _ := strings.CutPrefix(text, "http://")
	address = strings.TrimSuffix(address, "/")
	if strings.HasPrefix(text, "https://") {
		return nil, fmt.Errorf("invalid upstream %q: HTTPS is not supported; give the address where the service serves plain HTTP, such as 127.0.0.1:3000", text)
	}
	if _, err := strconv.ParseUint(address, 10, 16); err == nil {
		address = ":" + address
	}
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || number == 0 || strings.ContainsAny(host, "/?#@ ") {
		return nil, fmt.Errorf("invalid upstream %q: expected a host and a port without a path, such as 127.0.0.1:3000", text)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return &Own{net.JoinHostPort(host, port)}, nil
}

// URL is where the service is; "" if there is none.
func (o *Own) URL() string {
	if o == nil {
		return ""
	}
	return "http://" + o.Address
}

// Has reports whether the service is, or will be, at an address of this machine; false if there
// is none.
func (o *Own) Has(address string) bool {
	if o == nil {
		return false
	}
	host, port, err := net.SplitHostPort(o.Address)
	_, other, otherErr := net.SplitHostPort(address)
	if err != nil || otherErr != nil || port != other {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// Reachable reports whether something listens at the address.
func (o *Own) Reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

// dialTimeout bounds the connection to a service: the page waits for it.
const dialTimeout = 3 * time.Second

// Handler passes requests on to the service as the gateway sent them, WebSockets too.
func (o *Own) Handler() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: o.Address})
			r.Out.Host, r.Out.URL.RawQuery = r.In.Host, r.In.URL.RawQuery
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} { // else they are removed
				if values, ok := r.In.Header[name]; ok {
					r.Out.Header[name] = values
				}
			}
		},
		Transport: &http.Transport{
			DisableCompression: true,
			DialContext:        (&net.Dialer{Timeout: dialTimeout}).DialContext,
		},
		FlushInterval: -1, // streams
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  o.unavailable,
	}
}

// CodeDown is the code of the response when the service cannot be reached. The page explains it.
const CodeDown = "upstream_down"

// unavailable says what to do when the service did not respond.
func (o *Own) unavailable(w http.ResponseWriter, _ *http.Request, err error) {
	cause := err.Error()
	if errors.Is(err, syscall.ECONNREFUSED) {
		cause = "connection refused"
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadGateway)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the gateway has gone
		"status": http.StatusBadGateway, "title": http.StatusText(http.StatusBadGateway), "code": CodeDown,
		"detail": fmt.Sprintf("The service at %s does not respond: %s. Start it, then call again.", o.Address, cause),
	})
}
