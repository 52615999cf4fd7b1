package wechat

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
)

// Component is a third-party platform: it logs users of its customers' mini
// programs in, with a token of its own in place of each app's secret. WeChat
// gives that token to the operator's ticket receiver alone, so it is asked for at
// a service of the operator's.
type Component struct {
	AppID auth.AppID
	// TokenURL answers a GET with {"component_access_token": "…", "expires_in":
	// 7200}, which is what WeChat's api_component_token answers. It may hold a
	// credential in its query and is never quoted.
	TokenURL string
}

// platform is a [Component] in use.
type platform struct {
	app     auth.AppID
	target  *url.URL
	service *peer // the operator's
	tokens  *AccessTokens
}

func (c *Client) newPlatform(cfg Config) (*platform, error) {
	target, err := ParseURL(cfg.Component.TokenURL, true)
	if err != nil {
		return nil, fmt.Errorf("%w: app %q: the component's token URL: %w", auth.ErrAppMisconfigured, cfg.AppID, err)
	}
	if !auth.ValidID(cfg.Component.AppID) {
		return nil, fmt.Errorf("%w: app %q: component %q is not an appid", auth.ErrAppMisconfigured, cfg.AppID, cfg.Component.AppID)
	}
	return &platform{
		app:    cfg.Component.AppID,
		target: target,
		// A guard of its own: the service being down says nothing of WeChat.
		service: &peer{http: cfg.Transport, guard: newGuard(c.dialect, string(cfg.AppID), maxInFlight), observe: cfg.Observe},
		tokens:  &AccessTokens{fetch: c.shared(c.fetchComponentToken), now: cfg.Now, tasks: c.tasks},
	}, nil
}

// platformLogin is GET /sns/component/jscode2session. It is made a second time
// only when WeChat refused the component's token, and then the code is unspent.
func (c *Client) platformLogin(ctx context.Context, code string) (who auth.LoginResult, err error) {
	err = c.platform.tokens.use(ctx, c.dialect, func(ctx context.Context, token string) (err error) {
		who, err = c.exchange(ctx, request{
			name: CallComponentLogin,
			path: "/sns/component/jscode2session",
			query: url.Values{
				"appid":                  {string(c.cfg.AppID)},
				"js_code":                {code},
				"grant_type":             {"authorization_code"},
				"component_appid":        {string(c.platform.app)},
				"component_access_token": {token},
			},
			secrets: []string{token, code},
		})
		return err
	})
	return who, err
}

func (c *Client) fetchComponentToken(ctx context.Context) (fetched, error) {
	var got fetched
	err := c.dialect.retryOnce(ctx, func() error {
		var answer struct {
			Token   string `json:"component_access_token"`
			Seconds int64  `json:"expires_in"`
		}
		check := func() (err error) {
			got, err = newFetched(CallComponentToken, "component_access_token", answer.Token, answer.Seconds)
			return err
		}
		return c.platform.service.do(ctx, request{
			name:    CallComponentToken,
			target:  c.platform.target,
			secrets: slices.Concat(slices.Collect(maps.Values(c.platform.target.Query()))...),
		}, c.answerOf(CallComponentToken, &answer, check))
	})
	return got, err
}

// noToken is where the access token of a component's app comes from: nowhere. The
// component's token is not one, and the app's secret stays with its owner.
func noToken(context.Context, string) (fetched, error) {
	return fetched{}, fmt.Errorf("%w: an app of a third-party platform has no access token here", auth.ErrAppMisconfigured)
}
