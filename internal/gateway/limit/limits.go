// Package limit limits the costs that clients cause: logins of one network, phone codes and
// attempts to decrypt data of one user, and concurrent calls to WeChat.
package limit

import (
	"context"
	"crypto/sha256"
	"math"
	"net/netip"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
)

// Rate is a limit of n in every period.
type Rate struct {
	N   int
	Per time.Duration
}

// Config configures [Limits].
type Config struct {
	// Logins of one client address (IPv6: of one /64, and 256 times as many of one /48). The
	// zero Rate means no limit.
	Login Rate

	Scan     Rate // codes to scan of one client address, as for Login
	Phone    Rate // phone codes of one user
	Decode   Rate // attempts of one user to decrypt data
	Inflight int  // concurrent calls to WeChat for logins and phone codes

	Site [sha256.Size]byte // identifies clients that share an allowance
}

const (
	// wideFactor is how many times the login limit one IPv6 /48 has: it contains 256 of the /56
	// networks that households get, and many phones of a carrier. A client that has a /48,
	// which is common, gets no more than that. This stops a client that uses each of its 65,536
	// /64 networks once.
	wideFactor = 256
	wideBits   = 48
	// inflightRetryAfter is the time after which a concurrent call is probably finished: a call
	// takes a fraction of it.
	inflightRetryAfter = time.Second
)

// tickets is how many tickets one user gets. A web-view that opens needs one. Each ticket is a
// write to the store, so a client in a loop must not fill it.
var tickets = Rate{N: 600, Per: time.Minute}

// The names of the limits, in Redis and in metrics.
const (
	NameLogin  = "login"
	NameWide   = "login48"
	NameScan   = "scan"
	NameTicket = "ticket"
	NamePhone  = "phone"
	NameDecode = "decode"

	NameInflight = "inflight" // in metrics only
)

// Limits are the limits of a site. They are safe for concurrent use.
type Limits struct {
	Login  *Limiter[netip.Prefix] // nil for no limit
	Wide   *Limiter[netip.Prefix] // of one IPv6 /48; nil with Login
	Scan   *Limiter[netip.Prefix]
	Ticket *Limiter[auth.User]
	Phone  *Limiter[auth.User]
	Decode *Limiter[auth.User]

	site     [sha256.Size]byte
	inflight chan struct{}
}

// New returns limits with full allowances.
func New(c Config) *Limits {
	l := &Limits{
		Scan:     NewLimiter[netip.Prefix](c.Scan),
		Ticket:   NewLimiter[auth.User](tickets),
		Phone:    NewLimiter[auth.User](c.Phone),
		Decode:   NewLimiter[auth.User](c.Decode),
		site:     c.Site,
		inflight: make(chan struct{}, c.Inflight),
	}
	if c.Login != (Rate{}) {
		l.Login = NewLimiter[netip.Prefix](c.Login)
		l.Wide = NewLimiter[netip.Prefix](Rate{min(c.Login.N, math.MaxInt/wideFactor) * wideFactor, c.Login.Per})
	}
	return l
}

// Shared uses one request of an allowance that all machines share, or returns how long to wait.
type Shared func(ctx context.Context, limit string, key []byte, n int, per time.Duration) (time.Duration, error)

// AdmitLogin counts one login against the allowance of a client's network; shared is nil if
// allowances are not shared.
func (l *Limits) AdmitLogin(ctx context.Context, shared Shared, client netip.Prefix) error {
	if l.Login == nil {
		return nil
	}
	if err := admit(ctx, shared, l.site, NameLogin, l.Login, client, client.String()); err != nil {
		return err // and the /48 is not charged
	}
	if !client.Addr().Is6() {
		return nil
	}
	wide, _ := client.Addr().Prefix(wideBits) // cannot fail: valid for an IPv6 address
	return admit(ctx, shared, l.site, NameWide, l.Wide, wide, wide.String())
}

// OfNetwork counts one request against an allowance of a client's network; shared is nil if
// allowances are not shared.
type OfNetwork func(ctx context.Context, shared Shared, client netip.Prefix) error

// AdmitScan counts one code to scan against the allowance of a client's network.
func (l *Limits) AdmitScan(ctx context.Context, shared Shared, client netip.Prefix) error {
	return admit(ctx, shared, l.site, NameScan, l.Scan, client, client.String())
}

// AdmitTicket counts one ticket against a user's allowance.
func (l *Limits) AdmitTicket(ctx context.Context, shared Shared, u auth.User) error {
	return admit(ctx, shared, l.site, NameTicket, l.Ticket, u, userText(u))
}

// AdmitPhone counts one phone code against a user's allowance.
func (l *Limits) AdmitPhone(ctx context.Context, shared Shared, u auth.User) error {
	return admit(ctx, shared, l.site, NamePhone, l.Phone, u, userText(u))
}

// AdmitDecode counts one attempt to decrypt data against a user's allowance.
func (l *Limits) AdmitDecode(ctx context.Context, shared Shared, u auth.User) error {
	return admit(ctx, shared, l.site, NameDecode, l.Decode, u, userText(u))
}

// userText returns the key of a user in a limit. IDs have no NUL.
func userText(u auth.User) string { return string(u.App) + "\x00" + string(u.OpenID) }

// admit counts one request against an allowance: the shared one, or this machine's if
// allowances are not shared or the shared one is unreachable.
func admit[K comparable](ctx context.Context, shared Shared, site [sha256.Size]byte, name string, local *Limiter[K], key K, text string) error {
	if shared != nil {
		wait, err := shared(ctx, name, append(site[:], text...), local.rate.N, local.rate.Per)
		switch {
		case err == nil && wait > 0:
			metrics.ObserveLimited(name)
			return exceeded(wait)
		case err == nil:
			return nil
		}
	}
	err := local.Take(key, time.Now())
	if err != nil {
		metrics.ObserveLimited(name)
	}
	return err
}

// Enter counts a concurrent call to WeChat until the caller calls leave.
func (l *Limits) Enter() (leave func(), err error) {
	select {
	case l.inflight <- struct{}{}:
		return func() { <-l.inflight }, nil
	default:
		metrics.ObserveLimited(NameInflight)
		return nil, exceeded(inflightRetryAfter)
	}
}

// exceeded is the refusal of one of the gateway's limits. It has no errcode of WeChat.
func exceeded(wait time.Duration) error {
	p := problem.Of(auth.ErrRateLimited)
	p.RetryAfter = wait
	return p
}

// Network returns the network whose allowance a client address uses: an IPv4 address or an IPv6
// /64, the smallest network that a client gets. Clients without an address, as on a Unix
// socket, are one client.
func Network(client string) netip.Prefix {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // cannot fail: bits is valid for the address
	return prefix
}
