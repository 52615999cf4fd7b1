package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

// CallbackConfig is what the console of a mini program knows about where WeChat
// pushes messages (消息推送配置).
type CallbackConfig struct {
	// The Token, 3 to 32 letters and digits, as a placeholder such as `{env.X}`.
	Token string `json:"token"`

	// The EncodingAESKey, 43 letters and digits, as a placeholder. With it, only
	// encrypted messages count (安全模式). Default: messages come in the clear, and
	// whoever records one may change what it says, for five minutes.
	EncodingAESKey string `json:"encoding_aes_key,omitempty"`
}

// provision resolves the values; component is empty but for an app that has one.
func (c *CallbackConfig) provision(repl *caddy.Replacer, app, component auth.AppID) (*wechat.Callback, error) {
	config := wechat.CallbackConfig{AppID: app, Component: component}
	var err error
	if config.Token, err = resolve(repl, c.Token); err != nil {
		return nil, fmt.Errorf("callback: the token %w", err)
	}
	if c.EncodingAESKey != "" {
		if config.EncodingAESKey, err = resolve(repl, c.EncodingAESKey); err != nil {
			return nil, fmt.Errorf("callback: the EncodingAESKey %w", err)
		}
	}
	return wechat.NewCallback(config)
}

// addCallback serves {prefix}/callback, if some app of the site has one.
func (h *Handler) addCallback() {
	h.callbacks = nil
	for _, app := range h.app.MiniPrograms {
		if app.callback != nil && h.admits(app.id) {
			h.callbacks = append(h.callbacks, app.callback)
		}
	}
	if len(h.callbacks) > 0 {
		path := strings.TrimSuffix(h.Prefix, "/") + "/callback"
		h.endpoints[path] = endpoint{name: "callback", method: http.MethodPost, also: http.MethodGet, serve: (*Handler).serveCallback}
	}
}

// serveCallback is GET and POST {prefix}/callback, which WeChat calls: to check the
// address, and to push what its users do.
func (h *Handler) serveCallback(c *call) error {
	query := c.r.URL.Query()
	if c.r.Method == http.MethodGet {
		echo, err := firstWilling(h.callbacks, func(callback *wechat.Callback) (string, error) { return callback.Echo(query) })
		if err != nil {
			return callbackRefused(err)
		}
		return answerText(c.w, echo)
	}
	body, err := problem.ReadAtMost(c.w, c.r, wechat.MaxCallbackBytes)
	if err != nil {
		return err
	}
	push, err := firstWilling(h.callbacks, func(callback *wechat.Callback) (wechat.Push, error) { return callback.Open(query, body) })
	if err != nil {
		return callbackRefused(err)
	}
	if push.User != (auth.User{}) && !push.Handled() {
		if _, err := c.runtime.service.EndUser(c.r.Context(), push.User); err != nil {
			return err // WeChat comes again
		}
		push.MarkHandled()
		h.logger.Info("deleted a user's sessions and session keys, as WeChat requires",
			zap.String("event", string(push.Event)), zap.String("app", string(push.User.App)))
	}
	metrics.pushes.WithLabelValues(string(push.Event)).Inc()
	return answerText(c.w, "success")
}

// firstWilling asks the callbacks of all apps, since the address names none: the
// one whose token signed it answers.
func firstWilling[T any](callbacks []*wechat.Callback, ask func(*wechat.Callback) (T, error)) (T, error) {
	var none T
	refusal := fmt.Errorf("%w: no app of this site sent it", auth.ErrForbidden)
	for _, callback := range callbacks {
		answer, err := ask(callback)
		if err == nil {
			return answer, nil
		}
		if errors.Is(refusal, auth.ErrForbidden) { // what went wrong with the right app says more
			refusal = err
		}
	}
	return none, refusal
}

// callbackRefused is problemOf in words for whoever sets the callback up.
func callbackRefused(err error) *problem.Problem {
	p := problem.Of(err)
	p.Bearer = ""
	switch {
	case errors.Is(err, auth.ErrForbidden):
		p.Detail = "The signature does not match the configured token, or the timestamp is not current."
	case errors.Is(err, auth.ErrDecryptFailed):
		p.Detail = "The message cannot be decrypted with the configured EncodingAESKey."
	}
	return p
}

func answerText(w http.ResponseWriter, text string) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, err := io.WriteString(w, text)
	return err
}
