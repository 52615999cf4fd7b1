package handler

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/limit"
)

// Limits bound what clients cost the operator. Sites with the same prefix, the same
// apps and the same limit share its counters, also across reloads. With store redis all
// machines share exact counters; while Redis is unreachable, each machine counts
// separately and allows the whole limit.
type Limits struct {
	// Logins of one client address (IPv6: of one /64, and 256 times as many of one
	// /48), such as `20/1m`. The address is Caddy's `{client_ip}`, which accepts
	// X-Forwarded-For from trusted proxies only. Default: no limit, because phone networks
	// put thousands of users behind one address.
	Login string `json:"login,omitempty"`
	// Phone codes of one user. WeChat charges the operator for each success. Default
	// `10/1m`.
	Phone string `json:"phone,omitempty"`
	// Attempts of one user to decrypt data, with decode or userInfo. Default
	// `30/1m`. Failures are limited further, which no option changes: 16 for one
	// session_key in 24 hours, 64 for one user in a day.
	Decode string `json:"decode,omitempty"`
	// Codes to scan of one client address (IPv6: of one /64), with the option web. WeChat
	// makes 5,000 a minute for a mini program. Default `10/1m`.
	Scan string `json:"scan,omitempty"`
	// Concurrent calls to WeChat for logins and phone codes, on this site. Default 512.
	Inflight int `json:"inflight,omitempty"`
}

const (
	defaultPhoneLimit  = "10/1m"
	defaultDecodeLimit = "30/1m" // ten times what a page needs that asks for everything
	defaultScanLimit   = "10/1m" // a code is valid for 2 minutes
	defaultInflight    = 512
)

// limiters has the limiters, limiterKey → *limit.Limiter, which outlive a reload.
var limiters = caddy.NewUsagePool()

// limiterKey identifies one limit of the sites that share it.
type limiterKey struct {
	site  [sha256.Size]byte
	limit string
	rate  limit.Rate
}

// limitState reports the keys of the limiters when it is collected.
type limitState struct{}

var limitKeys = prometheus.NewDesc("wxgate_limit_keys",
	"Addresses or users that have less than their full allowance, by limit. With store redis, only those that were counted while Redis was down.",
	[]string{"limit"}, nil)

// Describe implements prometheus.Collector.
func (limitState) Describe(descs chan<- *prometheus.Desc) { descs <- limitKeys }

// Collect implements prometheus.Collector.
func (limitState) Collect(collected chan<- prometheus.Metric) {
	keys := make(map[string]int)
	limiters.Range(func(key, value any) bool {
		if l, ok := value.(interface{ Keys() int }); ok {
			keys[key.(limiterKey).limit] += l.Keys()
		}
		return true
	})
	for name, n := range keys {
		collected <- prometheus.MustNewConstMetric(limitKeys, prometheus.GaugeValue, float64(n), name)
	}
}

// open returns the limits of a site. Other sites and earlier configurations with the same
// limits share its counters.
func (l Limits) open(prefix string, admitted map[auth.AppID]struct{}, releases *[]func() error) (*limit.Limits, error) {
	config, err := l.resolve()
	if err != nil {
		return nil, err
	}
	names := []string{strings.TrimSuffix(prefix, "/")}
	for _, id := range slices.Sorted(maps.Keys(admitted)) {
		names = append(names, string(id))
	}
	config.Site = secret.Hash(names...)
	limits := limit.New(config)
	return limits, errors.Join(
		share(&limits.Login, config.Site, limit.NameLogin, releases),
		share(&limits.Wide, config.Site, limit.NameWide, releases),
		share(&limits.Phone, config.Site, limit.NamePhone, releases),
		share(&limits.Decode, config.Site, limit.NameDecode, releases),
		share(&limits.Ticket, config.Site, limit.NameTicket, releases),
		share(&limits.Scan, config.Site, limit.NameScan, releases),
	)
}

// share replaces a limiter with the one in the pool for the same site and rate, or adds it
// to the pool.
func share[K comparable](limiter **limit.Limiter[K], site [sha256.Size]byte, name string, releases *[]func() error) (err error) {
	if *limiter == nil {
		return nil
	}
	own := *limiter
	*limiter, err = app.Acquire(limiters, limiterKey{site, name, own.Rate()}, releases, func() (*limit.Limiter[K], error) { return own, nil })
	return err
}

// resolve parses the limits and fills in defaults.
func (l Limits) resolve() (limit.Config, error) {
	var config limit.Config
	for _, r := range []struct {
		name            string
		into            *limit.Rate
		rate, byDefault string
	}{
		{"login", &config.Login, l.Login, ""},
		{"phone", &config.Phone, l.Phone, defaultPhoneLimit},
		{"decode", &config.Decode, l.Decode, defaultDecodeLimit},
		{"scan", &config.Scan, l.Scan, defaultScanLimit},
	} {
		rate := cmp.Or(r.rate, r.byDefault)
		if rate == "" {
			continue // no limit
		}
		var err error
		if *r.into, err = parseRate(rate); err != nil {
			return config, fmt.Errorf("limit %s: %w", r.name, err)
		}
	}
	if l.Inflight < 0 {
		return config, fmt.Errorf("limit inflight: %d is below zero", l.Inflight)
	}
	config.Inflight = cmp.Or(l.Inflight, defaultInflight)
	return config, nil
}

// parseRate reads a rate such as "20/1m".
func parseRate(s string) (limit.Rate, error) {
	n, per, err := directive.ParseRate(s)
	if err == nil && per < time.Duration(n) {
		// Less than a nanosecond for each request would be no limit.
		err = fmt.Errorf("%q: write <n>/<duration>, such as 20/1m", s)
	}
	return limit.Rate{N: n, Per: per}, err
}
