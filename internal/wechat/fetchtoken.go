package wechat

import (
	"context"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// maxTokenLife is the longest that a token is used. It is the life of all tokens
	// except Kuaishou's, which is longer. A longer life in a response may be a mistake,
	// after which an expired token would stay in use.
	maxTokenLife = 2 * time.Hour
	// maxTokenBytes bounds an access token; WeChat asks to reserve 512.
	maxTokenBytes = 2 << 10
)

// fetchToken fetches the app's access token. On no platform does a new token
// invalidate the previous one at once, so the call may be retried.
func (c *Client) fetchToken(ctx context.Context) (got fetched, err error) {
	err = guard.RetryOnce(ctx, c.dialect, func() error {
		r, response := c.dialect.TokenRequest(c.app), c.dialect.TokenResponse()
		return c.peer.do(ctx, r, c.decode(r.Name, response, func() (err error) {
			token, seconds := response.Result()
			got, err = newFetched(r.Name, "access_token", token, seconds)
			return err
		}))
	})
	return got, err
}

// CheckCredentials has the platform check the appid and the secret and, at WeChat, the IP
// allow-list: it fetches an access token, or the component's, and discards it. Errors are those
// of a login, such as [auth.ErrAppMisconfigured], and [auth.ErrUnsupported] for a [Website].
func (c *Client) CheckCredentials(ctx context.Context) error {
	if c.cfg.Kind == Website {
		return fmt.Errorf("%w: app %q is of kind %s, which has no access token", auth.ErrUnsupported, c.cfg.AppID, Website)
	}
	fetch := c.fetchToken
	if c.component != nil {
		fetch = c.fetchComponentToken
	}
	_, err := fetch(ctx)
	return err
}

// newFetched checks the response to a token call.
func newFetched(name platform.CallName, field, token string, seconds int64) (fetched, error) {
	if !visibleASCII(token, maxTokenBytes) {
		return fetched{}, platform.Incomplete(name, field)
	}
	if seconds <= 0 {
		return fetched{}, platform.Incomplete(name, "expires_in")
	}
	return fetched{token: token, life: time.Duration(min(seconds, int64(maxTokenLife/time.Second))) * time.Second}, nil
}
