package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// defaultStale is how long tokens are accepted while Redis is unreachable:
	// a Sentinel fails over, and a Redis restarts, in less.
	defaultStale = 30 * time.Second
	// overdue is when a heartbeat of the store is overdue: it has four in that time,
	// so that one slow answer refuses nobody.
	overdue = 2 * time.Second
)

// errStale is a revocation that another machine may have made and this one has not
// received.
var errStale = errors.New("revocations of other machines are not being received")

// OnStale says what a site does when revocations of other machines are not being received.
type OnStale struct {
	// How long tokens are accepted after Redis last responded.
	// Default 30s, at least 2s.
	Allow caddy.Duration `json:"allow,omitempty"`

	// Refuse as soon as a heartbeat is overdue, which is 2s after the last.
	Deny bool `json:"deny,omitempty"`
}

// allowance is how stale the revocations may be; nil is the default.
func (o *OnStale) allowance() (time.Duration, error) {
	switch {
	case o == nil:
		return defaultStale, nil
	case o.Deny && o.Allow != 0:
		return 0, errors.New("on_stale: allow and deny are mutually exclusive")
	case o.Deny:
		return overdue, nil
	case o.Allow == 0:
		return defaultStale, nil
	case time.Duration(o.Allow) < overdue:
		return 0, fmt.Errorf("on_stale allow %s: must be at least %s, the time between heartbeats; or write on_stale deny", time.Duration(o.Allow), overdue)
	}
	return time.Duration(o.Allow), nil
}

// fresh refuses every token that a revocation may have ended which was not received:
// with 503, since the token may well be valid. A store of this process alone is never
// stale.
func (g *guard) fresh(runtime *runtime) error {
	if runtime.stale == nil {
		return nil
	}
	if stale := runtime.stale(); stale > g.allowance {
		return fmt.Errorf("%w: %w for %s, at most %s is allowed", auth.ErrStoreUnavailable, errStale, stale.Round(time.Millisecond), g.allowance)
	}
	return nil
}
