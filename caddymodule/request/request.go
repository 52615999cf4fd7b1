// Package request reads and writes what Caddy stores about a request: its ID, its client, its
// original URI, its placeholders, and the extra fields of its access log line.
package request

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/problem"
)

const (
	// idPlaceholder is Caddy's ID of a request. Caddy generates it when it is first read, and
	// then writes it to the access log, so only refused requests pay for it.
	idPlaceholder = "http.request.uuid"

	// codeField is the field of the access log that has a refusal's error code.
	codeField = "wxgate_code"
)

// Server returns the functions of Caddy that the gateway needs.
func Server() gateway.Server {
	return gateway.Server{
		RequestID: ID, ClientIP: clientIP, ShuttingDown: shuttingDown,
		OriginalURI: originalURI, Expand: expand, SetIdentity: setIdentity, NameUser: nameUser, LogCode: logCode, ServeAgain: serveAgain,
	}
}

// ID returns the ID of a request, or "" if the request is not served by Caddy.
func ID(r *http.Request) string {
	repl, ok := replacer(r)
	if !ok {
		return ""
	}
	id, _ := repl.GetString(idPlaceholder)
	return id
}

// WriteProblem responds with a problem, and adds its code to the access log.
func WriteProblem(w http.ResponseWriter, r *http.Request, p *problem.Problem) error {
	logCode(r, p.Code)
	return p.For(r).Write(w, ID(r))
}

// logCode adds a refusal's error code to the access log.
func logCode(r *http.Request, code string) {
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.String(codeField, code))
	}
}

// Trusted reports whether a request comes from one of Caddy's trusted_proxies.
func Trusted(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// clientIP returns Caddy's `{client_ip}`, which accepts X-Forwarded-For from trusted
// proxies only.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// Original returns the request as it was received, which Caddy keeps, or nil if the request
// is not served by Caddy.
func Original(r *http.Request) *http.Request {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return &original
	}
	return nil
}

func originalURI(r *http.Request) string {
	if original := Original(r); original != nil {
		return original.URL.RequestURI()
	}
	return r.URL.RequestURI()
}

// expand replaces placeholders; an unknown one is empty.
func expand(r *http.Request, text string) string {
	repl, ok := replacer(r)
	if !ok {
		return ""
	}
	return repl.ReplaceAll(text, "")
}

// EditOriginal edits the query of the request as it was received. Caddy sets PHP's REQUEST_URI
// from it, and {http.request.orig_uri}, which header_up may send upstream and which Caddy
// stores separately from the URL.
func EditOriginal(r *http.Request, edit func(query string) string) {
	original := Original(r)
	if original == nil {
		return
	}
	original.URL.RawQuery = edit(original.URL.RawQuery)
	if repl, ok := replacer(r); ok {
		repl.Set("http.request.orig_uri", original.URL.RequestURI())
	}
}

// serveAgain has Caddy's server serve a request from the start, with an edited query. Caddy
// copies the request for its access log and its error log before any handler runs: only a
// second request has log lines without the original query. The first request has no line in
// the access log, and returns no error.
func serveAgain(w http.ResponseWriter, r *http.Request, edit func(query string) string) error {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	original := Original(r)
	if !ok || original == nil {
		return errors.New("no Caddy server runs this request")
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	clear(w.Header()) // handlers before this one set theirs again
	again, uri := *r, *original.URL
	uri.RawQuery = edit(uri.RawQuery)
	again.Method, again.RemoteAddr, again.URL, again.RequestURI = original.Method, original.RemoteAddr, &uri, uri.RequestURI()
	server.ServeHTTP(w, &again)
	return nil
}

// shuttingDown reports whether the process is exiting, or a reload closes the
// listener of this request. In both cases Caddy waits for shutdown_delay before it
// refuses connections, so that load balancers can stop sending requests.
func shuttingDown(r *http.Request) bool {
	if caddy.Exiting() {
		return true
	}
	repl, ok := replacer(r)
	if !ok {
		return false
	}
	value, _ := repl.Get("http.shutting_down")
	closing, ok := value.(bool)
	return ok && closing
}

func replacer(r *http.Request) (*caddy.Replacer, bool) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	return repl, ok
}
