package wechat

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// CheckSession implements [auth.Platform] with GET /wxa/checksession. It changes
// nothing at WeChat's, so it may be retried.
func (c *Client) CheckSession(ctx context.Context, openid auth.OpenID, key auth.SessionKey) error {
	if err := c.weixinOnly(CallCheck); err != nil {
		return err
	}
	return c.withToken(ctx, func(ctx context.Context, token string) error {
		r, err := sessionRequest(CallCheck, "/wxa/checksession", token, openid, key)
		if err != nil {
			return err
		}
		return c.dialect.retryOnce(ctx, func() error { return c.checkSession(ctx, r) })
	})
}

func (c *Client) checkSession(ctx context.Context, r request) error {
	var answer struct {
		Code *errCode `json:"errcode"`
	}
	return c.peer.do(ctx, r, c.answerOf(CallCheck, &answer, func() error {
		if answer.Code == nil { // an empty object must not pass for "still valid"
			return incomplete(CallCheck, "errcode")
		}
		return nil
	}))
}

// ResetSessionKey implements [auth.Platform] with GET /wxa/resetusersessionkey.
// It is made once: a repetition would be signed with a key that is no more.
func (c *Client) ResetSessionKey(ctx context.Context, openid auth.OpenID, key auth.SessionKey) (auth.SessionKey, error) {
	if err := c.weixinOnly(CallReset); err != nil {
		return auth.SessionKey{}, err
	}
	var answer struct {
		OpenID     auth.OpenID `json:"openid"`
		SessionKey string      `json:"session_key"`
	}
	check := func() error {
		switch {
		case answer.OpenID != openid:
			return incomplete(CallReset, "openid")
		case !validSessionKey(answer.SessionKey):
			return incomplete(CallReset, "session_key")
		}
		return nil
	}
	err := c.withToken(ctx, func(ctx context.Context, token string) error {
		r, err := sessionRequest(CallReset, "/wxa/resetusersessionkey", token, openid, key)
		if err != nil {
			return err
		}
		return c.peer.do(ctx, r, c.answerOf(CallReset, &answer, check))
	})
	if err != nil {
		return auth.SessionKey{}, err
	}
	return auth.SessionKey{Key: answer.SessionKey, ObtainedAt: c.cfg.Now()}, nil
}

func sessionRequest(name CallName, path, token string, openid auth.OpenID, key auth.SessionKey) (request, error) {
	if !auth.ValidID(openid) || key.Key == "" {
		return request{}, fmt.Errorf("%w: %s needs an openid and a session key", auth.ErrInvalidRequest, name)
	}
	signature := sign(key)
	return request{
		name: name,
		path: path,
		query: url.Values{
			"access_token": {token},
			"openid":       {string(openid)},
			"signature":    {signature},
			"sig_method":   {"hmac_sha256"},
		},
		secrets: []string{token, signature, string(openid)},
	}, nil
}

// sign proves to WeChat that we hold a session key: the HMAC of nothing, keyed
// with the base64 string's own bytes, not with what they decode to.
func sign(key auth.SessionKey) string {
	return hex.EncodeToString(hmac.New(sha256.New, []byte(key.Key)).Sum(nil))
}
