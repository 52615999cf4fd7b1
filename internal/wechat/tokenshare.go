package wechat

import (
	"context"
	"time"
)

// TokenShare keeps one access token for all replicas of a gateway, so that WeChat
// is asked once, whatever their number. An error of any method means that the
// replicas cannot share now; each then asks for itself. Implementations put a
// deadline on every call.
type TokenShare interface {
	// Load returns what was kept last; the zero value when there is none.
	Load(ctx context.Context) (SharedToken, error)
	// Keep replaces it, for as long as the token lives.
	Keep(ctx context.Context, token SharedToken) error
	// Lease makes its holder the one who fetches, until release or until ttl is
	// over. held is false while another replica has it.
	Lease(ctx context.Context, ttl time.Duration) (release func(), held bool, err error)
}

// SharedToken is a token that some replica fetched.
type SharedToken struct {
	Token   string
	Fetched time.Time // when WeChat was asked for it
	Expires time.Time
}

const (
	// leaseLife is how long a replica has to fetch. One that died in the middle
	// holds the others up for that long; one that is slower is joined by another,
	// which harms nobody.
	leaseLife = callTime
	// leasePatience is how long a replica leaves it to others: a second holder may
	// die too.
	leasePatience = 2 * leaseLife
	// leasePoll is how often the others look whether the token is there.
	leasePoll = 100 * time.Millisecond
)

// sharing is a fetch that goes by the shared place first.
type sharing struct {
	share TokenShare
	fetch func(ctx context.Context) (fetched, error)
	now   func() time.Time
}

// shared makes a fetch one for all replicas, where they have a place to share.
func (c *Client) shared(fetch func(ctx context.Context) (fetched, error)) tokenFetch {
	if c.cfg.Share == nil {
		return func(ctx context.Context, _ string) (fetched, error) { return fetch(ctx) }
	}
	return sharing{c.cfg.Share, fetch, c.cfg.Now}.get
}

// get takes the shared token, or fetches one and shares it. refused is a token
// that WeChat would not take: whoever kept it does not know that yet.
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

// await waits until there is a token to use or it is this replica's turn to fetch
// one; for neither when the replicas cannot share, or ctx is over.
func (s sharing) await(ctx context.Context, refused string) (kept SharedToken, release func()) {
	for giveUp := s.now().Add(leasePatience); s.now().Before(giveUp); {
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
		if err != nil || wait(ctx, leasePoll) != nil {
			break
		}
	}
	return SharedToken{}, nil
}

// fetchForAll is called with the lease.
func (s sharing) fetchForAll(ctx context.Context, refused string) (fetched, error) {
	// Whoever had the lease before may have shared one between our two looks.
	if kept, err := s.share.Load(ctx); err == nil && s.usable(kept, refused) {
		return fetched{token: kept.Token, life: kept.Expires.Sub(s.now())}, nil
	}
	asked := s.now()
	got, err := s.fetch(ctx)
	if err != nil {
		return got, err
	}
	// What cannot be shared is of use here all the same.
	_ = s.share.Keep(ctx, SharedToken{Token: got.token, Fetched: asked, Expires: asked.Add(got.life)})
	return got, nil
}

// usable reports whether a shared token saves a fetch. One that is due for
// renewal does only just after it was fetched, when WeChat has no newer one.
func (s sharing) usable(kept SharedToken, refused string) bool {
	now := s.now()
	if kept.Token == refused || !visibleASCII(kept.Token, maxTokenBytes) || !now.Before(kept.Expires) {
		return false
	}
	return kept.Expires.Sub(now) > renewBefore || now.Sub(kept.Fetched) < renewEvery
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return callerLeft(ctx)
	}
}
