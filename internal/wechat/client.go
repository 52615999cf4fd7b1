package wechat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/addresses"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
	"github.com/wxgate/wxgate/internal/wechat/platform"
	"github.com/wxgate/wxgate/internal/wechat/testphone"
)

// Config is one mini program. AppID is required, and either Secret or Component.
type Config struct {
	// Platform is the mini program's platform; default [WeChat].
	Platform Platform
	// Kind is the kind of app; default a mini program. The others are only supported on
	// WeChat, with a secret.
	Kind   Kind
	AppID  auth.AppID
	Secret string
	// Component is the third-party platform that logs users in for the app. It is
	// only supported on WeChat.
	Component *Component

	// MiniProgram is the appid of the mini program if AppID is not: on WeCom. The
	// watermark of open data has it. Default AppID.
	MiniProgram auth.AppID

	// API is the base URL of the platform's server API; default the platform's host.
	API string
	// Watermark is the maximum age of open data; 0 for any age.
	Watermark time.Duration
	// If UnverifiedPhone is set, a phone number in open data does not verify the session. That
	// is the default for data without a watermark; see TrustUnmarked.
	UnverifiedPhone bool
	// If TrustUnmarked is set, a phone number verifies the session although the platform's data
	// has no watermark: on Kuaishou and Xiaohongshu.
	TrustUnmarked bool
	// If CheckPhone is set, WeChat must confirm that it encrypted a phone number before the
	// number verifies the session. It is only supported on WeChat, with a secret.
	CheckPhone bool
	// Security encrypts and signs the calls that it covers; nil for none. It is only
	// supported on WeChat, with a secret.
	Security *apisecurity.Security
	// ObserveSecurity is called after every response to an encrypted call; nil for no
	// observer. It must not block.
	ObserveSecurity func(SecurityCheck)
	// TestPhones replace the numbers of WeChat's virtual accounts. They are only supported
	// on WeChat.
	TestPhones testphone.Numbers
	// Risk configures requests for the user's risk rank at logins; nil for none. It is only
	// supported on WeChat, with a secret.
	Risk *RiskConfig
	// Transport sends the requests; nil for a dedicated transport. With HTTP/1, an
	// [http.Transport] does not replay a request of this package that was written: see
	// unreplayable.
	Transport http.RoundTripper
	// Share stores the access token, or the component's, for all replicas; nil if each
	// replica fetches its token.
	Share TokenShare
	// Observe is called after every call, with the context of the call; nil for no
	// observer. It must not block.
	Observe func(context.Context, Call)
	// Now defaults to [time.Now].
	Now func() time.Time
}

// Client makes the calls of one mini program. It is safe for concurrent use.
type Client struct {
	cfg       Config
	app       platform.App
	dialect   *platform.Dialect
	opener    *opendata.Opener
	peer      *peer
	forwards  *guard.Guard // of Forward, so that calls of upstreams don't delay logins
	tokens    *tokenCache
	component *component         // nil unless the config names one
	risks     *risks             // nil unless the config has them
	logins    singleflight.Group // by code; a Client is one app
	tasks     *tasks
	addresses addresses.List  // from which WeChat calls
	own       *http.Transport // nil if the config has a Transport
}

var _ auth.Platform = (*Client)(nil)

// New returns a client. Its errors wrap [auth.ErrAppMisconfigured]. It makes no calls.
func New(cfg Config) (*Client, error) {
	base, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, app: platform.App{ID: cfg.AppID, Secret: cfg.Secret}, dialect: dialectOf(cfg.Platform, cfg.Kind), tasks: newTasks()}
	c.opener = c.newOpener()
	if cfg.Transport == nil {
		c.own = newTransport()
		cfg.Transport = c.own
	}
	c.peer = &peer{
		app:      cfg.AppID,
		base:     base,
		http:     cfg.Transport,
		guard:    guard.New(c.dialect, string(cfg.AppID), maxInFlight),
		callTime: callTime,
		observe:  cfg.Observe,
		security: security{cfg.Security, cfg.AppID, cfg.ObserveSecurity},
	}
	c.forwards = guard.New(c.dialect, string(cfg.AppID), maxForwards)
	c.tokens = &tokenCache{fetch: c.shared(c.fetchToken), now: cfg.Now, tasks: c.tasks}
	if cfg.Component != nil || cfg.Kind == Website {
		c.tokens.fetch = noToken
	}
	if cfg.Component != nil {
		if c.component, err = c.newComponent(cfg); err != nil {
			return nil, err
		}
	}
	if cfg.Risk != nil {
		if c.risks, err = c.newRisks(*cfg.Risk); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// complete sets defaults and checks the config.
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

// completePlatform sets and checks the fields that depend on the platform.
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
	case cfg.Security != nil && (cfg.Platform != WeChat || cfg.Component != nil):
		return fmt.Errorf("%w: app %q: API security requires platform wechat and a secret", auth.ErrAppMisconfigured, cfg.AppID)
	case cfg.Component != nil && cfg.Platform != WeChat:
		return fmt.Errorf("%w: app %q: %s has no component", auth.ErrAppMisconfigured, cfg.AppID, cfg.Platform)
	case cfg.Risk != nil && (cfg.Component != nil || cfg.Platform != WeChat):
		return fmt.Errorf("%w: app %q: only WeChat ranks users, and not for a component", auth.ErrAppMisconfigured, cfg.AppID)
	case cfg.MiniProgram != cfg.AppID && cfg.Platform != WeCom || !auth.ValidID(cfg.MiniProgram):
		return fmt.Errorf("%w: app %q: mini program %q", auth.ErrAppMisconfigured, cfg.AppID, cfg.MiniProgram)
	case cfg.TestPhones != testphone.Numbers{} && cfg.Platform != WeChat:
		return fmt.Errorf("%w: app %q: %s has no virtual accounts", auth.ErrAppMisconfigured, cfg.AppID, cfg.Platform)
	}
	if err := cfg.Kind.check(cfg); err != nil {
		return err
	}
	if cfg.API == "" {
		cfg.API = d.Host
	}
	return nil
}

// errURL does not quote the URL, which may contain a credential.
var errURL = errors.New("not an http or https URL with a host and without credentials")

// ParseURL parses the URL of an API: http or https, with a host, and without
// credentials or a fragment. A component's token URL may have a query; the base of
// WeChat's API must not.
func ParseURL(raw string, mayHaveQuery bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" && !mayHaveQuery {
		return nil, errURL
	}
	return u, nil
}

// API returns the base URL of the platform's API.
func (c *Client) API() string { return c.cfg.API }

// Platform returns the mini program's platform.
func (c *Client) Platform() Platform { return c.cfg.Platform }

// Scope returns the scope in which the unionids of the app's users are unique.
func (c *Client) Scope() auth.Scope {
	base := c.peer.base
	host, port := strings.ToLower(base.Hostname()), base.Port()
	if port != "" && port != defaultPorts[base.Scheme] {
		host = net.JoinHostPort(host, port)
	}
	return auth.Scope{Platform: string(c.cfg.Platform), API: host}
}

// defaultPorts are the ports that a URL may omit.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// Breaker returns the state of the app's circuit breaker: closed (calls are made),
// half-open or open.
func (c *Client) Breaker() string { return c.peer.guard.State() }

// ForwardBreaker returns the state of the circuit breaker of [Client.Forward].
func (c *Client) ForwardBreaker() string { return c.forwards.State() }

// TokenAge returns the time since the access token was fetched, or since the
// component's was; false if there is none.
func (c *Client) TokenAge() (time.Duration, bool) {
	if c.component != nil {
		return c.component.tokens.Age()
	}
	return c.tokens.Age()
}

// Open implements [auth.Platform]; see [opendata.Opener.Open].
func (c *Client) Open(keys []auth.SessionKey, data auth.OpenData) (auth.Opened, error) {
	opened, err := c.opener.Open(keys, data)
	if opened.Phone != nil {
		phone := c.cfg.TestPhones.Replace(*opened.Phone)
		opened.Phone = &phone
	}
	return opened, err
}

// Close ends the client's background work and waits for it. Logins that are still
// running fail.
func (c *Client) Close() {
	c.tasks.close()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// tokenTime bounds an operation that may fetch a token, make a call, fetch another
// token and repeat the call, each within callTime.
const tokenTime = 2 * callTime

// withToken runs a call that needs the app's access token.
func (c *Client) withToken(ctx context.Context, call func(ctx context.Context, token string) error) error {
	return c.tokens.use(ctx, c.dialect, call)
}

// use runs a call that needs a token. If the platform refuses the token, it runs the call once
// more with a new token. Nothing takes effect twice: the platform checks the token before
// anything else.
func (a *tokenCache) use(ctx context.Context, d *platform.Dialect, call func(ctx context.Context, token string) error) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	token, err := a.Token(ctx)
	if err != nil {
		return err
	}
	if err = call(ctx, token); !d.IsStale(err) {
		return err
	}
	a.Invalidate(token)
	if token, err = a.Token(ctx); err != nil {
		return err
	}
	return call(ctx, token)
}
