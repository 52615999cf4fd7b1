package caddymodule

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

const tokenTypeBearer = "Bearer"

// accessAnswer is what every answer with an access token holds (RFC 6749
// section 5.1).
type accessAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

// pairAnswer adds the refresh token.
type pairAnswer struct {
	accessAnswer
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"` // seconds
}

func newAccessAnswer(g *auth.Grant) accessAnswer {
	return accessAnswer{AccessToken: g.AccessToken, TokenType: tokenTypeBearer, ExpiresIn: seconds(g.AccessExpires.Sub(g.Identity.IssuedAt))}
}

func newPairAnswer(g *auth.Grant) pairAnswer {
	return pairAnswer{newAccessAnswer(g), g.RefreshToken, seconds(g.RefreshExpires.Sub(g.Identity.IssuedAt))}
}

// seconds is a remaining life as OAuth answers write it.
func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }

// answerJSON sends v. Nothing of the login API may be kept by a cache on the way
// (RFC 6749 section 5.1).
func answerJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return answerBytes(w, status, body)
}

func answerBytes(w http.ResponseWriter, status int, body []byte) error {
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
