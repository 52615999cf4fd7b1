package caddymodule

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
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
	// Concurrent calls to WeChat for logins and phone codes, on this site. Default 512.
	Inflight int `json:"inflight,omitempty"`
}

const (
	defaultPhoneLimit  = "10/1m"
	defaultDecodeLimit = "30/1m" // ten times what a page does that asks for everything
	defaultInflight    = 512
	// wideFactor is how many times the login limit one IPv6 /48 has: it contains 256
	// of the /56 that one home is given, and many phones of a carrier. A client that
	// was given a /48, which is common, has no more than that. This stops a client
	// that uses each of its 65,536 /64 once.
	wideFactor = 256
	wideBits   = 48
	// inflightRetryAfter is when a place at WeChat is likely free: a call takes
	// a fraction of it.
	inflightRetryAfter = time.Second
)

// The names of the limits in Redis.
const (
	limitLogin  = "login"
	limitWide   = "login48"
	limitPhone  = "phone"
	limitDecode = "decode"
)

// limits are the compiled [Limits].
type limits struct {
	login    *limiter[netip.Prefix] // nil for no limit
	wide     *limiter[netip.Prefix] // of one IPv6 /48; nil with login
	phone    *limiter[auth.User]
	decode   *limiter[auth.User]
	site     [sha256.Size]byte // names those who share an allowance
	inflight chan struct{}
}

// limiterKey is one limit of one kind of site.
type limiterKey struct {
	site  [sha256.Size]byte
	limit string
	n     int
	per   time.Duration
}

// keep has the limiters outlive this configuration. admitted are the apps of the
// site.
func (l *limits) keep(prefix string, admitted map[auth.AppID]struct{}, releases *[]func() error) error {
	names := []string{strings.TrimSuffix(prefix, "/")}
	for _, app := range slices.Sorted(maps.Keys(admitted)) {
		names = append(names, string(app))
	}
	l.site = hashOf(names...)
	var err error
	if l.login != nil {
		key := limiterKey{l.site, limitLogin, l.login.n, l.login.per}
		l.login, err = acquire(limiters, key, releases, func() (*limiter[netip.Prefix], error) { return l.login, nil })
		if err != nil {
			return err
		}
		key = limiterKey{l.site, limitWide, l.wide.n, l.wide.per}
		l.wide, err = acquire(limiters, key, releases, func() (*limiter[netip.Prefix], error) { return l.wide, nil })
		if err != nil {
			return err
		}
	}
	key := limiterKey{l.site, limitPhone, l.phone.n, l.phone.per}
	l.phone, err = acquire(limiters, key, releases, func() (*limiter[auth.User], error) { return l.phone, nil })
	if err != nil {
		return err
	}
	key = limiterKey{l.site, limitDecode, l.decode.n, l.decode.per}
	l.decode, err = acquire(limiters, key, releases, func() (*limiter[auth.User], error) { return l.decode, nil })
	return err
}

func newLimits(cfg Limits) (*limits, error) {
	l := new(limits)
	if cfg.Login != "" {
		n, per, err := parseRate(cfg.Login)
		if err != nil {
			return nil, fmt.Errorf("limit login: %w", err)
		}
		l.login = newLimiter[netip.Prefix](n, per)
		l.wide = newLimiter[netip.Prefix](min(n, math.MaxInt/wideFactor)*wideFactor, per)
	}
	var err error
	if l.phone, err = newUserLimiter(limitPhone, cfg.Phone, defaultPhoneLimit); err != nil {
		return nil, err
	}
	if l.decode, err = newUserLimiter(limitDecode, cfg.Decode, defaultDecodeLimit); err != nil {
		return nil, err
	}
	if cfg.Inflight < 0 {
		return nil, fmt.Errorf("limit inflight: %d is below zero", cfg.Inflight)
	}
	if cfg.Inflight == 0 {
		cfg.Inflight = defaultInflight
	}
	l.inflight = make(chan struct{}, cfg.Inflight)
	return l, nil
}

// newUserLimiter makes a limiter of one user's calls; rate may be empty.
func newUserLimiter(name, rate, standard string) (*limiter[auth.User], error) {
	if rate == "" {
		rate = standard
	}
	n, per, err := parseRate(rate)
	if err != nil {
		return nil, fmt.Errorf("limit %s: %w", name, err)
	}
	return newLimiter[auth.User](n, per), nil
}

// parseRate reads "20/1m".
func parseRate(s string) (n int, per time.Duration, err error) {
	count, duration, ok := strings.Cut(s, "/")
	if n, err = strconv.Atoi(count); !ok || err != nil || n < 1 {
		return 0, 0, fmt.Errorf("%q: write <n>/<duration>, such as 20/1m", s)
	}
	// Under a nanosecond for each would be no limit at all.
	if per, err = caddy.ParseDuration(duration); err != nil || per < time.Duration(n) {
		return 0, 0, fmt.Errorf("%q: write <n>/<duration>, such as 20/1m", s)
	}
	return n, per, nil
}

// admitLogin takes one login off the client's allowance.
func (l *limits) admitLogin(c *call) error {
	if l.login == nil {
		return nil
	}
	client := clientNetwork(c.r)
	if err := spend(c, l, limitLogin, l.login, client, client.String()); err != nil {
		return err // and leaves the rest of the /48 its allowance
	}
	if !client.Addr().Is6() {
		return nil
	}
	wide, _ := client.Addr().Prefix(wideBits) // fits an IPv6 address
	return spend(c, l, limitWide, l.wide, wide, wide.String())
}

// admitPhone takes one phone code off the user's allowance.
func (l *limits) admitPhone(c *call, u auth.User) error {
	return spend(c, l, limitPhone, l.phone, u, userText(u))
}

// admitDecode takes one attempt to decrypt data off the user's allowance.
func (l *limits) admitDecode(c *call, u auth.User) error {
	return spend(c, l, limitDecode, l.decode, u, userText(u))
}

// userText is a user as a key of a limit. IDs hold no NUL.
func userText(u auth.User) string { return string(u.App) + "\x00" + string(u.OpenID) }

// spend takes one off an allowance: that of all machines, or this machine's own
// when nothing is shared or cannot be reached.
func spend[K comparable](c *call, l *limits, name string, local *limiter[K], key K, text string) error {
	if c.runtime.take != nil {
		wait, err := c.runtime.take(c.r.Context(), name, append(l.site[:], text...), local.n, local.per)
		switch {
		case err == nil && wait > 0:
			return limited(wait)
		case err == nil:
			return nil
		}
	}
	return local.take(key, time.Now())
}

// enter takes a place at WeChat; the caller leaves it again.
func (l *limits) enter() (leave func(), err error) {
	select {
	case l.inflight <- struct{}{}:
		return func() { <-l.inflight }, nil
	default:
		return nil, limited(inflightRetryAfter)
	}
}

// limited is the refusal of a limit of ours, with no errcode of WeChat's.
func limited(wait time.Duration) error {
	p := problem.Of(auth.ErrRateLimited)
	p.RetryAfter = wait
	return p
}

// clientNetwork is whose allowance a request uses: an IPv4 address or an IPv6
// /64, the smallest network that one client is given.
func clientNetwork(r *http.Request) netip.Prefix {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{} // a Unix socket: one client
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // bits fits the address
	return prefix
}
