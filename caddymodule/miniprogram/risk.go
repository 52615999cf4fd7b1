package miniprogram

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/wechat"
)

// RiskConfig configures how logins ask WeChat for the user's risk rank (getuserriskrank).
type RiskConfig struct {
	// What WeChat ranks the user for: `registration` (or `0`), `marketing` (`1`), such as
	// fraud with coupons, or `ugc` (`2`), content of users. Required.
	Scene string `json:"scene"`

	// How long a rank is cached in memory for further logins of the user, at most 24h. With 0,
	// each login asks. Default 10m.
	Cache *caddy.Duration `json:"cache,omitempty"`

	// Whether `require risk` admits a login of this app that has no rank: `allow` or `deny`.
	// A login has no rank if WeChat is down, out of quota or slow, or if the login is older
	// than this option. Default `deny`.
	OnError string `json:"on_error,omitempty"`
}

const (
	defaultRiskCache = 10 * time.Minute
	// maxRiskCache bounds how long a changed rank goes unnoticed.
	maxRiskCache = 24 * time.Hour

	riskAllow = "allow"
	riskDeny  = "deny"
)

// riskScenes maps the names and numbers of scenes in a configuration.
var riskScenes = map[string]wechat.RiskScene{
	"registration": wechat.RiskRegistration, "0": wechat.RiskRegistration,
	"marketing": wechat.RiskMarketing, "1": wechat.RiskMarketing,
	"ugc": wechat.RiskUGC, "2": wechat.RiskUGC,
}

// resolve checks the options and fills in defaults.
func (c *RiskConfig) resolve() (*wechat.RiskConfig, error) {
	scene, ok := riskScenes[c.Scene]
	if !ok {
		return nil, fmt.Errorf("risk %q: expected one of: registration, marketing, ugc, 0, 1, 2", c.Scene)
	}
	cache := defaultRiskCache
	if c.Cache != nil {
		cache = time.Duration(*c.Cache)
	}
	if cache < 0 || cache > maxRiskCache {
		return nil, fmt.Errorf("risk cache %s: the maximum is %s", cache, maxRiskCache)
	}
	if c.OnError != "" && c.OnError != riskAllow && c.OnError != riskDeny {
		return nil, fmt.Errorf("risk on_error %q: expected one of: %s, %s", c.OnError, riskAllow, riskDeny)
	}
	return &wechat.RiskConfig{Scene: scene, Cache: cache}, nil
}

func (m *Config) provisionRisk() (err error) {
	if m.Risk != nil {
		m.risk, err = m.Risk.resolve()
	}
	return err
}

// AdmitsUnranked reports whether users of the app pass `require risk` without a rank.
func (m *Config) AdmitsUnranked() bool { return m.Risk != nil && m.Risk.OnError == riskAllow }

var errRiskSyntax = errors.New("write risk <scene> [cache <duration>] [on_error allow|deny]")

func (m *Config) parseRisk(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args)%2 == 0 {
		return d.WrapErr(errRiskSyntax)
	}
	c := &RiskConfig{Scene: args[0]}
	for options := args[1:]; len(options) > 0; options = options[2:] {
		switch option, value := options[0], options[1]; {
		case option == "cache" && c.Cache == nil:
			cache, err := directive.ParseDuration(d, value)
			if err != nil {
				return err
			}
			c.Cache = (*caddy.Duration)(&cache)
		case option == "on_error" && c.OnError == "" && value != "":
			c.OnError = value
		default:
			return d.WrapErr(errRiskSyntax)
		}
	}
	if _, err := c.resolve(); err != nil {
		return d.WrapErr(err)
	}
	m.Risk = c
	return nil
}
