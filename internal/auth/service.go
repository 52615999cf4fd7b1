package auth

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth/flight"
)

// Config configures a [Service]. Every field except Limits, Browsers, DevMode, Outage,
// Available, PhoneBudgets, KeyLocked, Ended and Now is required.
type Config struct {
	Apps        map[AppID]Platform
	Scopes      map[AppID]Scope // of each of Apps
	Tokens      Tokens
	Store       Store
	Revocations Revocations

	Limits map[AppID]SessionLimit // default: that of the zero value for every app

	Access  time.Duration // life of an access token
	Refresh time.Duration // life of a session, from its login
	Idle    time.Duration // life of a session, from its last refresh

	// Browsers reports whether the site has browser sessions. Some of them end together with
	// another session.
	Browsers bool

	// DevMode allows [Service.Mint] and admits the sessions that it began. Default: both
	// are refused.
	DevMode bool

	// Outage returns how long the store was recently unreachable. It returns 0 once every
	// client that waited has had time to retry. That time does not count against
	// [RefreshGrace]. Default: the store is never unreachable.
	Outage func() time.Duration

	// Available is called before a code is spent. It fails when the store is known to be
	// down: a wasted code costs the user another silent login, and the app another call
	// of its WeChat quota. Default: the code is spent without this check.
	Available func(ctx context.Context) error

	// PhoneBudgets count phone codes before they are sent to the platform. Default: phone
	// codes of an app without a budget are not counted.
	PhoneBudgets map[AppID]PhoneBudget

	// KeyLocked is called when a user's session_key is locked because decryption with it
	// failed too often. reset is the reason why the platform did not replace the key,
	// or nil if it did. Default: nothing is called.
	KeyLocked func(u User, reset error)

	// Ended is called after the store has ended a session or a user before their time. It
	// must not block: the session has ended, even if the report is lost.
	// Default: nothing is called.
	Ended func(Ended)

	Now func() time.Time // default time.Now
}

// PhoneBudget counts a phone code, or refuses it with [ErrBudgetExhausted]. The caller must
// call settle once, and report whether the code was charged or may have been charged.
type PhoneBudget func(ctx context.Context) (settle func(charged bool), err error)

// Service implements the gateway's rules. It keeps no state between requests, so any
// number of services may share one store.
type Service struct {
	cfg       Config
	refreshes flight.Group[flightKey, refreshed] // in progress
}

// NewService returns a service with a complete configuration.
func NewService(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg}
}

// Grant is the result of a login, a refresh or a verified phone number.
type Grant struct {
	Identity       Identity
	Handle         string // given to clients in place of WeChat's session_key
	AccessToken    string
	AccessExpires  time.Time
	RefreshToken   string
	RefreshExpires time.Time
	Ended          []SessionID // after a login: the sessions that it ended; see SessionLimit
	Unranked       error       // after a login: why the platform did not return the requested risk
}

// Apps reports whether a site admits an app's users.
type Apps func(AppID) bool
