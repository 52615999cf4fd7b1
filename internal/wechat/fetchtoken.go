package wechat

import (
	"context"
	"time"
)

const (
	// maxTokenLife is the longest that a token is kept: what tokens live, but
	// Kuaishou's, which live longer. A longer life in an answer may be a mistake
	// that would keep a dead token for as long.
	maxTokenLife = 2 * time.Hour
	// maxTokenBytes bounds an access token; WeChat asks to have room for 512.
	maxTokenBytes = 2 << 10
)

// fetchToken asks the platform for the app's access token. No platform's old
// token ends at once when a new one is asked for, so it may be retried.
func (c *Client) fetchToken(ctx context.Context) (got fetched, err error) {
	err = c.dialect.retryOnce(ctx, func() error {
		r, answer := c.dialect.token(&c.cfg), c.dialect.grant()
		return c.peer.do(ctx, r, c.answerOf(r.name, answer, func() (err error) {
			token, seconds := answer.granted()
			got, err = newFetched(r.name, "access_token", token, seconds)
			return err
		}))
	})
	return got, err
}

// newFetched checks what a token call answered.
func newFetched(name CallName, field, token string, seconds int64) (fetched, error) {
	if !visibleASCII(token, maxTokenBytes) {
		return fetched{}, incomplete(name, field)
	}
	if seconds <= 0 {
		return fetched{}, incomplete(name, "expires_in")
	}
	return fetched{token: token, life: time.Duration(min(seconds, int64(maxTokenLife/time.Second))) * time.Second}, nil
}
