package caddymodule

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat"
)

// rawKeyInsecure is the only value of `raw_session_key`: an operator writes down
// what it is.
const rawKeyInsecure = "insecure"

// checkRawKey is for the word as an operator wrote it.
func checkRawKey(value string) error {
	if value != rawKeyInsecure {
		return fmt.Errorf("raw_session_key %q: write raw_session_key insecure, and only while old clients are being moved", value)
	}
	return nil
}

// warnOfRawKeys is said at every load, so that the word does not outlive the
// migration unseen.
func (m *MiniProgram) warnOfRawKeys(logger *zap.Logger) {
	if m.RawSessionKey != "" {
		logger.Warn("INSECURE: raw_session_key lets clients choose the key that their data is decrypted with, so that a client can forge any phone number; remove it once wxgate_raw_session_keys_total stops growing",
			zap.String("app", string(m.id)))
	}
}

// acceptsRawKeys reports whether an app's old clients may bring WeChat's own key.
func (a *App) acceptsRawKeys(app auth.AppID) bool {
	for _, m := range a.MiniPrograms {
		if m.id == app {
			return m.RawSessionKey == rawKeyInsecure
		}
	}
	return false
}

// acceptsRawKeys reports whether some app of the site does: without one, a raw
// key is no handle, and nothing else is looked at.
func (h *Handler) acceptsRawKeys() bool {
	for app := range h.admitted {
		if h.app.acceptsRawKeys(app) {
			return true
		}
	}
	return false
}

// rawKeyApp is the app of a raw key: the token's, else as at the login.
func (h *Handler) rawKeyApp(c *call, id *auth.Identity, in openData) (auth.AppID, error) {
	var app auth.AppID
	if id != nil {
		app = id.App
	} else {
		appid, err := in.appid()
		if err != nil {
			return "", err
		}
		if app, err = h.loginApp(c.r, appid); err != nil {
			return "", err
		}
	}
	if !h.app.acceptsRawKeys(app) {
		return "", fmt.Errorf("%w: a raw session key, which app %q does not accept", auth.ErrSessionStale, app)
	}
	return app, nil
}

// appid is which app the body names; "" for none.
func (in openData) appid() (string, error) {
	var texts []string
	for _, value := range in.appids {
		var text string
		if value != nil && json.Unmarshal(value, &text) != nil {
			return "", problem.BadRequest("The field appid must be a string.")
		}
		texts = append(texts, text)
	}
	return problem.Either("appid", texts...)
}

// decodeRaw answers a client that brought WeChat's own session key. Whoever has
// the key can encrypt anything under it, so the answer says "verified": false and
// is the end of it: nothing goes on the session, into a token or into a header.
// Otherwise a user would become the owner of whatever phone number he encrypts.
func (h *Handler) decodeRaw(c *call, id *auth.Identity, key string, in openData) error {
	app, err := h.rawKeyApp(c, id, in)
	if err != nil {
		return err
	}
	opened, err := c.runtime.service.OpenUnverified(app, id, key, in.data, h.admits)
	outcome := outcomeOK
	if err != nil {
		outcome = problem.Of(err).Code
	}
	metrics.rawKeys.WithLabelValues(outcome).Inc()
	if err != nil {
		return err
	}
	if opened.Phone != nil {
		return answerJSON(c.w, http.StatusOK, unverifiedPhone{phoneAnswer: newPhoneAnswer(opened.Phone)})
	}
	body, err := markUnverified(opened.JSON)
	if err != nil {
		return err
	}
	return answerBytes(c.w, http.StatusOK, body)
}

type unverifiedPhone struct {
	Verified    bool `json:"verified"` // false
	phoneAnswer `json:",embed"`
}

// markUnverified puts "verified": false into an object that a client may have
// written itself: a member of that name, in any case, goes. Otherwise the client
// would write "verified": true, and the next reader believe the last of two.
func markUnverified(object []byte) ([]byte, error) {
	type marked struct {
		Verified jsontext.Value `json:"verified"`
		Rest     jsontext.Value `json:",embed"`
	}
	var m marked
	if err := json.Unmarshal(object, &m, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, fmt.Errorf("%w: the data cannot be marked as unverified", auth.ErrDecryptFailed)
	}
	m.Verified = jsontext.Value("false")
	return json.Marshal(&m)
}

// rawSessionKey is WeChat's session key in its own spelling, when text is one and
// the site accepts them. A handle is longer and never is.
func (h *Handler) rawSessionKey(text string) (string, bool) {
	key, ok := wechat.ParseSessionKey(text)
	return key, ok && h.acceptsRawKeys()
}
