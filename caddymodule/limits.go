package caddymodule

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/time/rate"

	"github.com/wxgate/wxgate/internal/auth"
)

// Limits bound what clients may cost the operator. A reload gives every client
// its whole allowance again.
type Limits struct {
	// Logins of one client address (IPv6: of one /64), such as `20/1m`. The
	// address is Caddy's `{client_ip}`, which believes X-Forwarded-For from
	// trusted proxies only. Default: no limit, since phone networks put
	// thousands of users behind one address.
	Login string `json:"login,omitempty"`
	// Phone codes of one user. Each success costs the operator money at WeChat.
	// Default `10/1m`.
	Phone string `json:"phone,omitempty"`
	// Logins and phone codes under way at WeChat at once, on this site.
	// Default 512.
	Inflight int `json:"inflight,omitempty"`
}

const (
	defaultPhoneLimit = "10/1m"
	defaultInflight   = 512
	// maxBuckets bounds a limiter's memory, in entries of some 100 bytes. Keys
	// beyond it share one bucket, so that an attacker with many addresses slows
	// himself and not the process.
	maxBuckets = 100_000
	// inflightRetryAfter is when a place at WeChat is likely free: a call takes
	// a fraction of it.
	inflightRetryAfter = time.Second
)

// limits are the compiled [Limits].
type limits struct {
	login    *limiter[netip.Prefix] // nil for no limit
	phone    *limiter[auth.User]
	inflight chan struct{}
}

func newLimits(cfg Limits) (*limits, error) {
	l := new(limits)
	if cfg.Login != "" {
		n, per, err := parseRate(cfg.Login)
		if err != nil {
			return nil, fmt.Errorf("limit login: %w", err)
		}
		l.login = newLimiter[netip.Prefix](n, per)
	}
	if cfg.Phone == "" {
		cfg.Phone = defaultPhoneLimit
	}
	n, per, err := parseRate(cfg.Phone)
	if err != nil {
		return nil, fmt.Errorf("limit phone: %w", err)
	}
	l.phone = newLimiter[auth.User](n, per)
	if cfg.Inflight < 0 {
		return nil, fmt.Errorf("limit inflight: %d is below zero", cfg.Inflight)
	}
	if cfg.Inflight == 0 {
		cfg.Inflight = defaultInflight
	}
	l.inflight = make(chan struct{}, cfg.Inflight)
	return l, nil
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
func (l *limits) admitLogin(r *http.Request) error {
	if l.login == nil {
		return nil
	}
	return l.login.take(clientNetwork(r), time.Now())
}

// admitPhone takes one phone code off the user's allowance.
func (l *limits) admitPhone(u auth.User) error { return l.phone.take(u, time.Now()) }

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
	p := problemOf(auth.ErrRateLimited)
	p.retryAfter = wait
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

// limiter keeps a token bucket for each key, in two generations: a bucket that
// nobody touched for its whole period is full again, and may be forgotten.
type limiter[K comparable] struct {
	n   int
	per time.Duration

	mu       sync.Mutex // guards all below
	turned   time.Time
	young    map[K]*rate.Limiter
	old      map[K]*rate.Limiter
	overflow *rate.Limiter
}

func newLimiter[K comparable](n int, per time.Duration) *limiter[K] {
	l := &limiter[K]{n: n, per: per, young: make(map[K]*rate.Limiter)}
	l.overflow = l.bucket()
	return l
}

func (l *limiter[K]) bucket() *rate.Limiter {
	return rate.NewLimiter(rate.Every(l.per/time.Duration(l.n)), l.n)
}

// take spends one of key's allowance, or says when the next one is due.
func (l *limiter[K]) take(key K, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	reservation := l.find(key, now).ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return limited(wait)
	}
	return nil
}

func (l *limiter[K]) find(key K, now time.Time) *rate.Limiter {
	if now.Sub(l.turned) >= l.per {
		if now.Sub(l.turned) >= 2*l.per {
			l.young = nil // nobody was here for a whole period
		}
		l.old, l.young, l.turned = l.young, make(map[K]*rate.Limiter), now
	}
	if b, ok := l.young[key]; ok {
		return b
	}
	if len(l.young) >= maxBuckets {
		return l.overflow
	}
	b, ok := l.old[key]
	if !ok {
		b = l.bucket()
	}
	l.young[key] = b
	return b
}
