package wechat

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// maxTokenLife is what WeChat's tokens live. A longer life in an answer is a
	// mistake that would keep a dead token for as long.
	maxTokenLife = 2 * time.Hour
	// maxTokenBytes bounds an access token; WeChat asks to have room for 512.
	maxTokenBytes = 2 << 10
)

// fetchToken is POST /cgi-bin/stable_token in normal mode: it invalidates nobody's
// token, so it may be retried and every replica may call it. force_refresh, which
// WeChat counts in days, is never sent from here.
func (c *Client) fetchToken(ctx context.Context) (fetched, error) {
	var got fetched
	err := retryOnce(ctx, func() (err error) {
		got, err = c.stableToken(ctx)
		return err
	})
	return got, err
}

func (c *Client) stableToken(ctx context.Context) (got fetched, err error) {
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	check := func() (err error) {
		got, err = newFetched(CallToken, "access_token", answer.Token, answer.Seconds)
		return err
	}
	err = c.peer.do(ctx, request{
		name: CallToken,
		path: "/cgi-bin/stable_token",
		body: struct {
			GrantType string     `json:"grant_type"`
			AppID     auth.AppID `json:"appid"`
			Secret    string     `json:"secret"`
		}{"client_credential", c.cfg.AppID, c.cfg.Secret},
		secrets: []string{c.cfg.Secret},
	}, c.answerOf(CallToken, &answer, check))
	return got, err
}
