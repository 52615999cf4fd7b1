package gateway

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
)

// rawKeyApp returns the app of a raw session_key: the token's app, or else the same app as for
// a login.
func (g *Gateway) rawKeyApp(c *call, id *auth.Identity, in openData) (auth.AppID, error) {
	var app auth.AppID
	if id != nil {
		app = id.App
	} else {
		appid, err := in.appid()
		if err != nil {
			return "", err
		}
		if app, err = g.loginApp(c.r, appid); err != nil {
			return "", err
		}
	}
	if _, ok := g.config.RawKeys[app]; !ok {
		return "", fmt.Errorf("%w: a raw session key, which app %q does not accept", auth.ErrSessionStale, app)
	}
	return app, nil
}

// appid returns the appid in the body, or "".
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

// decodeRaw decrypts data with WeChat's own session_key, which the client sent. A client
// that has the key can encrypt anything with it, so the response has "verified": false
// and no session, token or header gets the data. Otherwise a user could become the owner
// of any phone number.
func (g *Gateway) decodeRaw(c *call, id *auth.Identity, key string, in openData) error {
	app, err := g.rawKeyApp(c, id, in)
	if err != nil {
		return err
	}
	opened, err := c.runtime.Service.OpenUnverified(app, id, key, in.data, g.admits)
	metrics.RawKeys.WithLabelValues(metrics.Outcome(err)).Inc()
	if err != nil || opened.Phone != nil {
		opened.Unverified = true
		g.record(c, audit.Event{Action: audit.Decode, App: app, Phone: phoneOf(opened)}, id, err)
	}
	if err != nil {
		return err
	}
	if opened.Phone != nil {
		return c.respond(unverifiedPhone{phoneResponse: newPhoneResponse(opened.Phone)})
	}
	body, err := markUnverified(opened.JSON)
	if err != nil {
		return err
	}
	return c.respondBytes(body)
}

type unverifiedPhone struct {
	Verified      bool `json:"verified"` // false
	phoneResponse `json:",embed"`
}

// markUnverified sets "verified": false in an object that a client may have written. A member
// with that name, in any letter case, is replaced. Otherwise the client could write "verified":
// true, and readers that use the last of two members would accept it.
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

// rawSessionKey returns WeChat's session_key in its normal form, if text is a session_key and
// the site accepts them. A handle is longer, so it is never mistaken for a key.
func (g *Gateway) rawSessionKey(text string) (string, bool) {
	key, ok := opendata.ParseSessionKey(text)
	return key, ok && len(g.config.RawKeys) > 0
}
