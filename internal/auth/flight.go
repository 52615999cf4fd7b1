package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// refreshTimeout bounds a shared refresh, which no single caller may cancel.
	// Stores respond in milliseconds; a mini program's request times out after 60 s.
	refreshTimeout = 5 * time.Second

	// replayGather is how long a replayed refresh waits for others of the same token. A
	// page that resumes sends its requests within tens of milliseconds of each other, and
	// they count as one replay. Only replays wait: a client that refreshes once never
	// does.
	replayGather = 100 * time.Millisecond
)

// flights lets simultaneous refreshes with one refresh token share one result. Without it,
// the seventh of a hundred would look like a stolen token, because [MaxRefreshReplays] has
// to be small. A refresh after the result was returned is a replay and is counted: a thief
// looks like that.
type flights struct {
	mu   sync.Mutex
	open map[flightKey]*flight
}

// flightKey names the presented token by its digest: a map of secrets would be
// one more place to read them from.
type flightKey struct {
	session SessionID
	token   Digest
}

// flight is one shared refresh. Its fields are written by the leader alone,
// before landed is closed, and read by the others after.
type flight struct {
	landed chan struct{}
	grant  *Grant
	err    error
}

// join boards the flight of a token; leads says that the caller must fly it and
// land it.
func (f *flights) join(t RefreshToken) (fl *flight, leads bool) {
	key := flightKey{session: t.Session, token: t.digest()}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.open[key]; ok {
		return fl, false
	}
	// A leader that panics must not leave a nil result.
	fl = &flight{landed: make(chan struct{}), err: fmt.Errorf("%w: the refresh did not finish", ErrStoreUnavailable)}
	if f.open == nil {
		f.open = make(map[flightKey]*flight)
	}
	f.open[key] = fl
	return fl, true
}

// land ends the flight: a later refresh with the token does not share its result.
func (f *flights) land(t RefreshToken, fl *flight) {
	f.mu.Lock()
	delete(f.open, flightKey{session: t.Session, token: t.digest()})
	f.mu.Unlock()
	close(fl.landed)
}

// lead refreshes for everybody aboard. The leader's own cancellation must not
// cancel the rest, so it stays until the end.
func (s *Service) lead(ctx context.Context, fl *flight, presented RefreshToken, admitted Apps) (*Grant, error) {
	defer s.refreshes.land(presented, fl)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	var replayed bool
	fl.grant, replayed, fl.err = s.rotate(ctx, presented, admitted)
	if replayed {
		<-time.After(replayGather)
	}
	return fl.share()
}

// follow waits for the result of another refresh of the same token.
// again says that the leader came through a site that does not admit the app,
// which says nothing about this one.
func (fl *flight) follow(ctx context.Context, admitted Apps) (grant *Grant, again bool, err error) {
	select {
	case <-fl.landed:
	case <-ctx.Done():
		return nil, false, fmt.Errorf("%w: waiting for a refresh under way: %w", ErrStoreUnavailable, context.Cause(ctx))
	}
	if errors.Is(fl.err, ErrAppNotAdmitted) {
		return nil, true, nil
	}
	if fl.err == nil && !admitted(fl.grant.Identity.App) {
		return nil, false, fmt.Errorf("%w: session of app %q", ErrAppNotAdmitted, fl.grant.Identity.App)
	}
	grant, err = fl.share()
	return grant, false, err
}

// share gives each caller a grant of its own.
func (fl *flight) share() (*Grant, error) {
	if fl.err != nil {
		return nil, fl.err
	}
	grant := *fl.grant
	return &grant, nil
}
