package wechat

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// Component is a third-party platform: it logs in the users of its customers' mini programs,
// with its own token instead of each app's secret. WeChat sends the ticket for that token only
// to the operator's ticket receiver, so the token is fetched from a service of the operator.
type Component struct {
	AppID auth.AppID
	// TokenURL responds to a GET as WeChat's api_component_token does:
	// {"component_access_token": "…", "expires_in": 7200}. Its query may contain a
	// credential, so errors never quote it.
	TokenURL string
}

// component is the state of a [Component].
type component struct {
	app     auth.AppID
	target  *url.URL
	service *peer // the operator's
	tokens  *tokenCache
}

func (c *Client) newComponent(cfg Config) (*component, error) {
	target, err := ParseURL(cfg.Component.TokenURL, true)
	if err != nil {
		return nil, fmt.Errorf("%w: app %q: the component's token URL: %w", auth.ErrAppMisconfigured, cfg.AppID, err)
	}
	if !auth.ValidID(cfg.Component.AppID) {
		return nil, fmt.Errorf("%w: app %q: component %q is not an appid", auth.ErrAppMisconfigured, cfg.AppID, cfg.Component.AppID)
	}
	return &component{
		app:    cfg.Component.AppID,
		target: target,
		// A separate guard: an outage of the service is not an outage of WeChat.
		service: &peer{app: cfg.AppID, http: cfg.Transport, guard: guard.New(c.dialect, string(cfg.AppID), maxInFlight), callTime: callTime, observe: cfg.Observe},
		tokens:  &tokenCache{fetch: c.shared(c.fetchComponentToken), now: cfg.Now, tasks: c.tasks},
	}, nil
}

// componentLogin is GET /sns/component/jscode2session. It is repeated only after
// WeChat refused the component's token, which does not spend the code.
func (c *Client) componentLogin(ctx context.Context, code string) (who auth.LoginResult, err error) {
	err = c.component.tokens.use(ctx, c.dialect, func(ctx context.Context, token string) (err error) {
		who, err = c.exchange(ctx, platform.Request{
			Name: platform.CallComponentLogin,
			Path: "/sns/component/jscode2session",
			Query: url.Values{
				"appid":                  {string(c.cfg.AppID)},
				"js_code":                {code},
				"grant_type":             {"authorization_code"},
				"component_appid":        {string(c.component.app)},
				"component_access_token": {token},
			},
			Secrets: []string{token, code},
		}, c.dialect.LoginResponse())
		return err
	})
	return who, err
}

func (c *Client) fetchComponentToken(ctx context.Context) (fetched, error) {
	var got fetched
	err := guard.RetryOnce(ctx, c.dialect, func() error {
		var response struct {
			Token   string `json:"component_access_token"`
			Seconds int64  `json:"expires_in"`
		}
		check := func() (err error) {
			got, err = newFetched(platform.CallComponentToken, "component_access_token", response.Token, response.Seconds)
			return err
		}
		return c.component.service.do(ctx, platform.Request{
			Name:    platform.CallComponentToken,
			Target:  c.component.target,
			Secrets: slices.Concat(slices.Collect(maps.Values(c.component.target.Query()))...),
		}, c.decode(platform.CallComponentToken, &response, check))
	})
	return got, err
}

// noToken is the fetch of an app that has no access token, and always fails. A component's
// token is of another kind, and the app's owner keeps the app's secret. A website app has no
// server API.
func noToken(context.Context, string) (fetched, error) {
	return fetched{}, fmt.Errorf("%w: an app of a third-party platform, or of kind website, has no access token here", auth.ErrAppMisconfigured)
}
