package wechat

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wxgate/wxgate/internal/auth"
)

// Config is one mini program. AppID is required, and either Secret or Component.
type Config struct {
	// Platform is where the mini program lives; default [WeChat].
	Platform Platform
	AppID    auth.AppID
	Secret   string
	// Component is the third-party platform that logs users in for the app, on
	// WeChat alone.
	Component *Component

	// MiniProgram is the appid of the mini program where AppID is something else:
	// on WeCom. Open data is marked with it. Default AppID.
	MiniProgram auth.AppID

	// API is the base URL of the platform's server API; default its own host.
	API string
	// Watermark is how old opened data may be; 0 for any age.
	Watermark time.Duration
	// UnverifiedPhone has a phone number in encrypted data verify nothing. It is
	// the default for data without a watermark; see TrustUnmarked.
	UnverifiedPhone bool
	// TrustUnmarked has a phone number verify the session although the platform's
	// data has no watermark: on Kuaishou and Xiaohongshu.
	TrustUnmarked bool
	// Transport sends the requests; nil for one of our own. With HTTP/1 the
	// Client keeps any [http.Transport] from replaying a request that was written.
	Transport http.RoundTripper
	// Share keeps the access token, or the component's, for all replicas; nil for
	// one of each replica's own.
	Share TokenShare
	// Observe is told of every call; nil for nobody. It must not block.
	Observe func(Call)
	// Now defaults to [time.Now].
	Now func() time.Time
}

// Client is one mini program at its platform. It is safe for concurrent use.
type Client struct {
	cfg      Config
	dialect  *dialect
	peer     *peer
	forwards *guard // of Forward: what upstreams do holds up no login
	tokens   *AccessTokens
	platform *platform          // nil unless the config names a component
	logins   singleflight.Group // by code; a Client is one app
	tasks    *tasks
	own      *http.Transport // nil when the config brought another
}

var _ auth.Platform = (*Client)(nil)

// New makes a client; its errors wrap [auth.ErrAppMisconfigured]. It asks
// nothing of the platform yet.
func New(cfg Config) (*Client, error) {
	base, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, dialect: dialects[cfg.Platform], tasks: newTasks()}
	if cfg.Transport == nil {
		c.own = newTransport()
		cfg.Transport = c.own
	}
	c.peer = &peer{
		base:    base,
		http:    cfg.Transport,
		guard:   newGuard(c.dialect, string(cfg.AppID), maxInFlight),
		observe: cfg.Observe,
	}
	c.forwards = newGuard(c.dialect, string(cfg.AppID), maxForwards)
	c.tokens = &AccessTokens{fetch: c.shared(c.fetchToken), now: cfg.Now, tasks: c.tasks}
	if cfg.Component != nil {
		c.tokens.fetch = noToken
		if c.platform, err = c.newPlatform(cfg); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// complete fills in defaults and refuses what cannot work.
func (cfg *Config) complete() (*url.URL, error) {
	if !auth.ValidID(cfg.AppID) {
		return nil, fmt.Errorf("%w: appid %q", auth.ErrAppMisconfigured, cfg.AppID)
	}
	if (cfg.Secret == "") == (cfg.Component == nil) {
		return nil, fmt.Errorf("%w: app %q needs a secret or a component, and not both", auth.ErrAppMisconfigured, cfg.AppID)
	}
	if cfg.Watermark < 0 {
		return nil, fmt.Errorf("%w: app %q: negative watermark age", auth.ErrAppMisconfigured, cfg.AppID)
	}
	if err := cfg.completePlatform(); err != nil {
		return nil, err
	}
	base, err := ParseURL(cfg.API, false)
	if err != nil {
		return nil, fmt.Errorf("%w: app %q: api: %w", auth.ErrAppMisconfigured, cfg.AppID, err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return base, nil
}

// completePlatform is complete for what depends on the platform.
func (cfg *Config) completePlatform() error {
	if cfg.Platform == "" {
		cfg.Platform = WeChat
	}
	if cfg.MiniProgram == "" {
		cfg.MiniProgram = cfg.AppID
	}
	d, ok := dialects[cfg.Platform]
	switch {
	case !ok:
		return fmt.Errorf("%w: app %q: unknown platform %q", auth.ErrAppMisconfigured, cfg.AppID, cfg.Platform)
	case cfg.Component != nil && cfg.Platform != WeChat:
		return fmt.Errorf("%w: app %q: %s has no component", auth.ErrAppMisconfigured, cfg.AppID, cfg.Platform)
	case cfg.MiniProgram != cfg.AppID && cfg.Platform != WeCom || !auth.ValidID(cfg.MiniProgram):
		return fmt.Errorf("%w: app %q: mini program %q", auth.ErrAppMisconfigured, cfg.AppID, cfg.MiniProgram)
	}
	if cfg.API == "" {
		cfg.API = d.api
	}
	return nil
}

// Platform is where the mini program lives.
func (c *Client) Platform() Platform { return c.dialect.platform }

// AccessTokens is where the app's access token comes from.
func (c *Client) AccessTokens() *AccessTokens { return c.tokens }

// Breaker is the state of the app's circuit breaker: closed (all is well),
// half-open or open.
func (c *Client) Breaker() string { return c.peer.guard.state() }

// ForwardBreaker is the same of the breaker of [Client.Forward].
func (c *Client) ForwardBreaker() string { return c.forwards.state() }

// TokenAge is how long ago the token in use was fetched, the component's where
// there is one; false when there is none.
func (c *Client) TokenAge() (time.Duration, bool) {
	if c.platform != nil {
		return c.platform.tokens.Age()
	}
	return c.tokens.Age()
}

// Close ends the client's background work and waits for it. Logins that are
// still under way fail: close when nobody uses the client any more.
func (c *Client) Close() {
	c.tasks.close()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// tokenTime bounds an operation that may fetch a token, call, fetch another and
// call again, each with its own callTime.
const tokenTime = 2 * callTime

// withToken runs a call that needs the app's access token.
func (c *Client) withToken(ctx context.Context, call func(ctx context.Context, token string) error) error {
	return c.tokens.use(ctx, c.dialect, call)
}

// use runs a call that needs a token, and runs it once more with a new one when
// the platform says that the token is stale. That repeats nothing that was done:
// it looks at the token before anything else.
func (a *AccessTokens) use(ctx context.Context, d *dialect, call func(ctx context.Context, token string) error) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	token, err := a.Token(ctx)
	if err != nil {
		return err
	}
	if err = call(ctx, token); !d.isStale(err) {
		return err
	}
	a.Invalidate(token)
	if token, err = a.Token(ctx); err != nil {
		return err
	}
	return call(ctx, token)
}
