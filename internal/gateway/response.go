package gateway

import (
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

const tokenTypeBearer = "Bearer"

// accessToken is the members of every response with an access token (RFC 6749
// section 5.1).
type accessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

// tokenPair adds the refresh token.
type tokenPair struct {
	accessToken
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"` // seconds
}

func newAccessToken(g *auth.Grant) accessToken {
	return accessToken{AccessToken: g.AccessToken, TokenType: tokenTypeBearer, ExpiresIn: seconds(g.AccessExpires.Sub(g.Identity.IssuedAt))}
}

func newTokenPair(g *auth.Grant) tokenPair {
	return tokenPair{newAccessToken(g), g.RefreshToken, seconds(g.RefreshExpires.Sub(g.Identity.IssuedAt))}
}

// seconds returns a remaining lifetime as OAuth writes it, in whole seconds.
func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }

// WriteJSON responds with v. No cache may keep a response of the login API
// (RFC 6749 section 5.1).
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBytes(w, status, body)
}

// writeBytes responds with a JSON document.
func writeBytes(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// responseWriter is the base of writers that change or watch a response. It keeps what
// the server's writer can do beside that.
type responseWriter struct {
	http.ResponseWriter
}

// Unwrap is for [http.ResponseController].
func (w responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ReadFrom keeps sendfile for files.
func (w responseWriter) ReadFrom(r io.Reader) (int64, error) {
	if from, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return from.ReadFrom(r)
	}
	return io.Copy(w.ResponseWriter, r)
}

// Push implements [http.Pusher].
func (w responseWriter) Push(target string, options *http.PushOptions) error {
	if pusher, ok := w.ResponseWriter.(http.Pusher); ok {
		return pusher.Push(target, options)
	}
	return http.ErrNotSupported
}
