package wechat

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/wechat/guard"
)

// TokenShare stores one access token for all replicas of a gateway, so that one of
// them fetches it. If a method returns an error, each replica fetches a token itself.
// Implementations set a deadline for every call.
type TokenShare interface {
	// Load returns the stored token; the zero value if there is none.
	Load(ctx context.Context) (SharedToken, error)
	// Keep stores a token for as long as it is valid.
	Keep(ctx context.Context, token SharedToken) error
	// Lease lets one replica fetch, until it calls release or until ttl has passed. held is
	// false while another replica has the lease.
	Lease(ctx context.Context, ttl time.Duration) (release func(), held bool, err error)
}

// SharedToken is a token that one of the replicas fetched.
type SharedToken struct {
	Token   string
	Fetched time.Time // when the token was requested
	Expires time.Time
}

const (
	// leaseLife is how long a replica may take to fetch. If it crashes, the others wait
	// for that long. If it is slower, a second replica fetches too, which is harmless.
	leaseLife = callTime
	// leaseWait is how long a replica waits for others: a second replica may crash too.
	leaseWait = 2 * leaseLife
	// leasePoll is how often waiting replicas load the token.
	leasePoll = 100 * time.Millisecond
)

// sharing fetches a token unless a usable token is shared.
type sharing struct {
	share TokenShare
	fetch func(ctx context.Context) (fetched, error)
	now   func() time.Time
}

// shared returns a fetch that all replicas share, if the config has a TokenShare.
func (c *Client) shared(fetch func(ctx context.Context) (fetched, error)) tokenFetch {
	if c.cfg.Share == nil {
		return func(ctx context.Context, _ string) (fetched, error) { return fetch(ctx) }
	}
	return sharing{c.cfg.Share, fetch, c.cfg.Now}.get
}

// get returns the shared token, or fetches one and shares it. refused is a token that
// WeChat refused, which may still be the shared one.
func (s sharing) get(ctx context.Context, refused string) (fetched, error) {
	kept, release := s.await(ctx, refused)
	switch {
	case kept.Token != "":
		return fetched{token: kept.Token, life: kept.Expires.Sub(s.now())}, nil
	case release == nil:
		return s.fetch(ctx)
	}
	defer release()
	return s.fetchForAll(ctx, refused)
}

// await waits for a usable token or for the lease. It returns neither if sharing
// fails, or if ctx ends.
func (s sharing) await(ctx context.Context, refused string) (kept SharedToken, release func()) {
	for giveUp := s.now().Add(leaseWait); s.now().Before(giveUp); {
		kept, err := s.share.Load(ctx)
		if err == nil && s.usable(kept, refused) {
			return kept, nil
		}
		if err != nil {
			break
		}
		release, held, err := s.share.Lease(ctx, leaseLife)
		if held {
			return SharedToken{}, release
		}
		if err != nil || guard.Wait(ctx, leasePoll) != nil {
			break
		}
	}
	return SharedToken{}, nil
}

// fetchForAll fetches a token and shares it. The caller must have the lease.
func (s sharing) fetchForAll(ctx context.Context, refused string) (fetched, error) {
	// The previous holder of the lease may have shared one after the last Load.
	if kept, err := s.share.Load(ctx); err == nil && s.usable(kept, refused) {
		return fetched{token: kept.Token, life: kept.Expires.Sub(s.now())}, nil
	}
	asked := s.now()
	got, err := s.fetch(ctx)
	if err != nil {
		return got, err
	}
	// If sharing fails, this replica can still use the token.
	_ = s.share.Keep(ctx, SharedToken{Token: got.token, Fetched: asked, Expires: asked.Add(got.life)})
	return got, nil
}

// usable reports whether a shared token makes a fetch unnecessary. A token that is due for
// renewal is usable only if it was just fetched: then WeChat has no newer token.
func (s sharing) usable(kept SharedToken, refused string) bool {
	now := s.now()
	if kept.Token == refused || !visibleASCII(kept.Token, maxTokenBytes) || !now.Before(kept.Expires) {
		return false
	}
	return kept.Expires.Sub(now) > renewBefore || now.Sub(kept.Fetched) < renewEvery
}
