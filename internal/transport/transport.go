// Package transport sends requests to plain HTTP/1.1 upstreams on the caller's goroutine.
//
// It exists because net/http's Transport is expensive for a proxy. It has two goroutines for
// each connection: the first writes the request, the second reads the response, and the caller
// waits for both with a separate context. Switching between them costs CPU time, most of all on
// an idle machine. A request without a body does not need them: the caller writes it, then
// reads the response. docs/performance.md has the figures.
//
// All other requests are sent by net/http, the fallback of [Transport]: request bodies, which
// must be sent while the response is read, upgrades, Expect, CONNECT, TLS, HTTP/2, forward
// proxies, and settings that this package does not support.
//
// The package would be unnecessary if net/http's Transport did the same for such
// requests. Until then `transport standard` in the Caddyfile turns it off.
package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// Transport is an http.RoundTripper with its own pool of connections.
type Transport struct {
	settings *http.Transport
	fallback http.RoundTripper
	suitable bool // this package supports the settings
	idle     pool
}

// New returns a Transport with the dialer, the limits and the timeouts of settings. fallback
// sends all other requests; it may be the same value as settings.
func New(settings *http.Transport, fallback http.RoundTripper) *Transport {
	maxIdle := settings.MaxIdleConnsPerHost
	if maxIdle == 0 {
		maxIdle = http.DefaultMaxIdleConnsPerHost
	}
	return &Transport{
		settings: settings, fallback: fallback, suitable: suitable(settings),
		idle: pool{maxIdle: maxIdle, timeout: settings.IdleConnTimeout},
	}
}

// suitable reports whether a transport with these settings can be replaced for plain requests.
// It cannot if the number of connections is limited, since the fallback has connections too.
func suitable(settings *http.Transport) bool {
	protocols := settings.Protocols
	return canCheck && settings.DialContext != nil && !settings.DisableKeepAlives &&
		settings.MaxConnsPerHost == 0 && settings.MaxIdleConns == 0 &&
		settings.ReadBufferSize == 0 && settings.WriteBufferSize == 0 &&
		(protocols == nil || protocols.HTTP1() && !protocols.UnencryptedHTTP2())
}

// RoundTrip implements http.RoundTripper. It repeats a request only if no byte of it was sent:
// a repeated request could place an order twice.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.sends(r) {
		return t.fallback.RoundTrip(r)
	}
	out, err := t.outgoing(r)
	if err != nil {
		return nil, err
	}
	for {
		c, err := t.connection(&out)
		if err != nil {
			return nil, err
		}
		response, err := t.exchange(c, &out)
		if !errors.Is(err, errNothingSent) {
			return response, err
		}
	}
}

// sends reports whether this package sends a request itself.
func (t *Transport) sends(r *http.Request) bool {
	if !t.suitable || !isPlain(r) {
		return false
	}
	if t.settings.Proxy == nil {
		return true
	}
	proxy, err := t.settings.Proxy(r)
	return proxy == nil && err == nil
}

// connection returns an idle connection to the request's host, or a new one.
func (t *Transport) connection(out *outgoing) (*conn, error) {
	ctx, trace := out.Context(), out.trace
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	address := hostPort(out.URL)
	if trace.GetConn != nil {
		trace.GetConn(address)
	}
	c, idle := t.idle.get(out.URL.Host, time.Now())
	if c == nil {
		dialed, err := t.settings.DialContext(ctx, "tcp", address)
		if err != nil {
			// Distinguish a canceled request from an upstream that is down.
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, err
		}
		c = newConn(dialed, out.URL.Host)
	}
	if trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.Conn, Reused: c.used, WasIdle: c.used, IdleTime: idle})
	}
	return c, nil
}

// hostPort returns the address of a URL's host.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "80")
}
