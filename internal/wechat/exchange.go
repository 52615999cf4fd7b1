package wechat

import (
	"context"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// maxCodeBytes bounds a login or phone code. WeChat's are 32 to 64 characters.
const maxCodeBytes = 512

// checkCode refuses what is no code before it costs a call.
func checkCode(code string) error {
	if !visibleASCII(code, maxCodeBytes) {
		return fmt.Errorf("%w: a code is 1 to %d visible ASCII characters", auth.ErrInvalidRequest, maxCodeBytes)
	}
	return nil
}

// visibleASCII reports whether s is not empty, within most bytes, and printable
// without a space: what WeChat's codes and tokens are.
func visibleASCII(s string, most int) bool {
	if len(s) == 0 || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Exchange implements [auth.Platform]. Callers who bring one code at once share
// one call and its outcome; it goes on when any of them leaves, since the code is
// spent either way. Nothing is kept afterwards.
func (c *Client) Exchange(ctx context.Context, code string) (auth.LoginResult, error) {
	if err := checkCode(code); err != nil {
		return auth.LoginResult{}, err
	}
	if ctx.Err() != nil { // no client would get the result
		return auth.LoginResult{}, callerLeft(ctx)
	}
	shared := c.logins.DoChan(code, func() (any, error) {
		if !c.tasks.begin() {
			return nil, fmt.Errorf("%w: the client is closed", auth.ErrWeChatUnreachable)
		}
		defer c.tasks.running.Done()
		return c.login(c.tasks.ctx, code)
	})
	select {
	case <-ctx.Done():
		return auth.LoginResult{}, callerLeft(ctx)
	case result := <-shared:
		who, _ := result.Val.(auth.LoginResult) // the zero value beside an error
		return who, result.Err
	}
}

// login spends the code, with a call that is made exactly once. Where the login
// needs the app's token, it is made a second time only when the platform refused
// the token, and then the code is unspent.
func (c *Client) login(ctx context.Context, code string) (who auth.LoginResult, err error) {
	switch {
	case c.platform != nil:
		return c.platformLogin(ctx, code)
	case !c.dialect.withToken:
		return c.exchange(ctx, c.dialect.login(&c.cfg, code, ""))
	}
	err = c.withToken(ctx, func(ctx context.Context, token string) (err error) {
		who, err = c.exchange(ctx, c.dialect.login(&c.cfg, code, token))
		return err
	})
	return who, err
}

// exchange makes a call that answers who a code belongs to.
func (c *Client) exchange(ctx context.Context, r request) (auth.LoginResult, error) {
	answer := c.dialect.session()
	var who auth.LoginResult
	check := func() (err error) {
		if who, err = answer.exchanged(&c.cfg); err != nil {
			return err
		}
		switch {
		case !auth.ValidID(who.OpenID):
			return incomplete(r.name, "openid")
		case who.UnionID != "" && !auth.ValidID(who.UnionID):
			return incomplete(r.name, "unionid")
		case !validSessionKey(who.SessionKey):
			return incomplete(r.name, "session_key")
		}
		return nil
	}
	if err := c.peer.do(ctx, r, c.answerOf(r.name, answer, check)); err != nil {
		return auth.LoginResult{}, err
	}
	return who, nil
}

// maxSessionKeyBytes bounds a session_key, in characters; WeChat's has 24.
const maxSessionKeyBytes = 128

// validSessionKey reports whether a session_key can be kept. That it should be
// base64 of 16 bytes is for decryption to find: a login needs none of it, and
// should not fail on the day that WeChat makes its keys longer.
func validSessionKey(key string) bool { return visibleASCII(key, maxSessionKeyBytes) }
