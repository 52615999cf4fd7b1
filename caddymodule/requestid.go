package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/problem"
)

const (
	// requestIDPlaceholder is Caddy's ID of a request. Caddy makes it when it is
	// first read and then writes it to the access log, so only refused requests
	// pay for it.
	requestIDPlaceholder = "http.request.uuid"

	// requestIDField is the field that Caddy writes it as. wxgate's own log lines
	// use the same name, so that one search finds both.
	requestIDField = "uuid"

	// codeField is the field of the access log that has a refusal's error code.
	codeField = "wxgate_code"
)

// requestID returns the ID of a request, or "" when no Caddy server runs it.
func requestID(r *http.Request) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	id, _ := repl.GetString(requestIDPlaceholder)
	return id
}

// logCode adds a refusal's error code to the access log.
func logCode(r *http.Request, code string) {
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.String(codeField, code))
	}
}

// writeProblem responds with a problem, which the access log names by its code.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem.Problem) error {
	logCode(r, p.Code)
	return p.Write(w, requestID(r))
}
