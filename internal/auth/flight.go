package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth/flight"
)

const (
	// refreshTimeout bounds a shared refresh, which no single caller may cancel.
	// Stores respond in milliseconds; a mini program's request times out after 60 s.
	refreshTimeout = 5 * time.Second

	// replayGather is how long a replayed refresh waits for others with the same token. A
	// page that resumes sends its requests within tens of milliseconds of each other, and
	// they count as one replay. Only replays wait: a client that refreshes once never
	// does.
	replayGather = 100 * time.Millisecond
)

// flightKey identifies the presented token by its digest: a map of secrets would be
// one more place to read them from.
type flightKey struct {
	session SessionID
	token   Digest
}

func (t RefreshToken) flightKey() flightKey { return flightKey{session: t.Session, token: t.digest()} }

// refreshed is the result of a refresh. Simultaneous refreshes with one refresh token share
// it. Otherwise the seventh of a hundred would look like a stolen token, because
// [MaxRefreshReplays] has to be small. A refresh after the result was returned is counted as
// a replay, because a thief's refresh looks the same.
type refreshed struct {
	grant *Grant
	err   error
}

// errUnfinished is the result if the leader panics.
var errUnfinished = fmt.Errorf("%w: the refresh did not finish", ErrStoreUnavailable)

// lead refreshes for all callers of the flight. The leader's own cancellation must not
// cancel the others, so the leader finishes the refresh in any case.
func (s *Service) lead(ctx context.Context, fl *flight.Flight[refreshed], presented RefreshToken, admitted Apps) (*Grant, error) {
	defer s.refreshes.Land(presented.flightKey())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	grant, replayed, err := s.rotate(ctx, presented, admitted)
	result := refreshed{grant, err}
	fl.Set(result)
	if replayed {
		<-time.After(replayGather)
	}
	return result.share()
}

// follow waits for the result of another refresh of the same token. again is true if the
// leader came through a site that does not admit the app: this site may admit it.
func follow(ctx context.Context, fl *flight.Flight[refreshed], admitted Apps) (grant *Grant, again bool, err error) {
	result, err := fl.Wait(ctx)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("%w: waiting for a refresh under way: %w", ErrStoreUnavailable, err)
	case errors.Is(result.err, ErrAppNotAdmitted):
		return nil, true, nil
	case result.err == nil && !admitted(result.grant.Identity.App):
		return nil, false, fmt.Errorf("%w: session of app %q", ErrAppNotAdmitted, result.grant.Identity.App)
	}
	grant, err = result.share()
	return grant, false, err
}

// share returns a separate grant for each caller.
func (r refreshed) share() (*Grant, error) {
	if r.err != nil {
		return nil, r.err
	}
	grant := *r.grant
	return &grant, nil
}
