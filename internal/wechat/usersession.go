package wechat

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// CheckSession implements [auth.Platform] with GET /wxa/checksession. The call has no
// effects, so it may be retried.
func (c *Client) CheckSession(ctx context.Context, openid auth.OpenID, key auth.SessionKey) error {
	if err := c.miniProgramOnly(platform.CallCheck); err != nil {
		return err
	}
	return c.withToken(ctx, func(ctx context.Context, token string) error {
		r, err := sessionRequest(platform.CallCheck, "/wxa/checksession", token, openid, key)
		if err != nil {
			return err
		}
		return guard.RetryOnce(ctx, c.dialect, func() error { return c.checkSession(ctx, r) })
	})
}

func (c *Client) checkSession(ctx context.Context, r platform.Request) error {
	var response struct {
		Code *jsontext.Value `json:"errcode"`
	}
	return c.peer.do(ctx, r, c.decode(platform.CallCheck, &response, func() error {
		if response.Code == nil { // an empty object does not mean that the key is valid
			return platform.Incomplete(platform.CallCheck, "errcode")
		}
		return nil
	}))
}

// ResetSessionKey implements [auth.Platform] with GET /wxa/resetusersessionkey.
// It is made once: a repeated call would be signed with the key that the first one
// replaced.
func (c *Client) ResetSessionKey(ctx context.Context, openid auth.OpenID, key auth.SessionKey) (auth.SessionKey, error) {
	if err := c.miniProgramOnly(platform.CallReset); err != nil {
		return auth.SessionKey{}, err
	}
	var response struct {
		OpenID     auth.OpenID `json:"openid"`
		SessionKey string      `json:"session_key"`
	}
	check := func() error {
		switch {
		case response.OpenID != openid:
			return platform.Incomplete(platform.CallReset, "openid")
		case !validSessionKey(response.SessionKey):
			return platform.Incomplete(platform.CallReset, "session_key")
		}
		return nil
	}
	err := c.withToken(ctx, func(ctx context.Context, token string) error {
		r, err := sessionRequest(platform.CallReset, "/wxa/resetusersessionkey", token, openid, key)
		if err != nil {
			return err
		}
		return c.peer.do(ctx, r, c.decode(platform.CallReset, &response, check))
	})
	if err != nil {
		return auth.SessionKey{}, err
	}
	return auth.SessionKey{Key: response.SessionKey, ObtainedAt: c.cfg.Now()}, nil
}

func sessionRequest(name platform.CallName, path, token string, openid auth.OpenID, key auth.SessionKey) (platform.Request, error) {
	if !auth.ValidID(openid) || key.Key == "" {
		return platform.Request{}, fmt.Errorf("%w: %s needs an openid and a session key", auth.ErrInvalidRequest, name)
	}
	signature := sign(key)
	return platform.Request{
		Name: name,
		Path: path,
		Query: url.Values{
			"access_token": {token},
			"openid":       {string(openid)},
			"signature":    {signature},
			"sig_method":   {"hmac_sha256"},
		},
		Secrets: []string{token, signature, string(openid)},
	}, nil
}

// sign proves to WeChat that the session key is known: the HMAC of an empty message,
// with the bytes of the base64 text as the key, not decoded.
func sign(key auth.SessionKey) string {
	return hex.EncodeToString(hmac.New(sha256.New, []byte(key.Key)).Sum(nil))
}
