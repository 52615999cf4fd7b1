package wechat

import (
	"context"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// maxCodeBytes bounds a login or phone code. WeChat's are 32 to 64 characters.
const maxCodeBytes = 512

// checkCode refuses an invalid code without a call.
func checkCode(code string) error {
	if !visibleASCII(code, maxCodeBytes) {
		return fmt.Errorf("%w: a code is 1 to %d visible ASCII characters", auth.ErrInvalidRequest, maxCodeBytes)
	}
	return nil
}

// visibleASCII reports whether s has 1 to most characters, all visible ASCII (no space), like
// WeChat's codes and tokens.
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

// Exchange implements [auth.Platform]. Simultaneous callers with the same code share
// one call and its result. The call continues when a caller leaves, since the code is
// spent anyway. The result is not cached.
func (c *Client) Exchange(ctx context.Context, code string) (auth.LoginResult, error) {
	if err := checkCode(code); err != nil {
		return auth.LoginResult{}, err
	}
	if ctx.Err() != nil { // no client would receive the result
		return auth.LoginResult{}, guard.CallerLeft(ctx)
	}
	shared := c.logins.DoChan(code, func() (any, error) {
		if !c.tasks.begin() {
			return nil, fmt.Errorf("%w: the client is closed", auth.ErrWeChatUnreachable)
		}
		defer c.tasks.running.Done()
		ctx, end := c.tasks.outlive(ctx)
		defer end()
		return c.login(ctx, code)
	})
	select {
	case <-ctx.Done():
		return auth.LoginResult{}, guard.CallerLeft(ctx)
	case result := <-shared:
		who, _ := result.Val.(auth.LoginResult) // the zero value with an error
		return who, result.Err
	}
}

// login spends the code with one call. If the login needs the app's token, the call is
// repeated only after the platform refused the token, which does not spend the code.
func (c *Client) login(ctx context.Context, code string) (who auth.LoginResult, err error) {
	switch {
	case c.component != nil:
		return c.componentLogin(ctx, code)
	case c.cfg.Kind != "":
		return c.webLogin(ctx, code)
	case !c.dialect.NeedsToken:
		return c.exchange(ctx, c.dialect.LoginRequest(c.app, code, ""), c.dialect.LoginResponse())
	}
	err = c.withToken(ctx, func(ctx context.Context, token string) (err error) {
		who, err = c.exchange(ctx, c.dialect.LoginRequest(c.app, code, token), c.dialect.LoginResponse())
		return err
	})
	return who, err
}

// exchange makes the call that returns the user of a code, and decodes the response into
// response.
func (c *Client) exchange(ctx context.Context, r platform.Request, response platform.LoginResponse) (auth.LoginResult, error) {
	var who auth.LoginResult
	check := func() (err error) {
		if who, err = response.Result(c.app); err != nil {
			return err
		}
		switch {
		case !auth.ValidID(who.OpenID):
			return platform.Incomplete(r.Name, "openid")
		case who.UnionID != "" && !auth.ValidID(who.UnionID):
			return platform.Incomplete(r.Name, "unionid")
		case c.cfg.Kind == "" && !validSessionKey(who.SessionKey):
			return platform.Incomplete(r.Name, "session_key")
		}
		return nil
	}
	if err := c.peer.do(ctx, r, c.decode(r.Name, response, check)); err != nil {
		return auth.LoginResult{}, err
	}
	return who, nil
}

// maxSessionKeyBytes bounds a session_key, in characters; WeChat's has 24.
const maxSessionKeyBytes = 128

// validSessionKey reports whether a session_key can be stored. It does not require base64 of 16
// bytes, which decryption checks. A login does not need the key, and must not fail if WeChat
// makes its keys longer.
func validSessionKey(key string) bool { return visibleASCII(key, maxSessionKeyBytes) }
