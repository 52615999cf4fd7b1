package auth_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const simultaneous = 100

// refreshMany presents one token from many callers and returns the grants.
func refreshMany(t *testing.T, service *auth.Service, token string, between time.Duration) []*auth.Grant {
	t.Helper()
	grants := make([]*auth.Grant, simultaneous)
	var wg sync.WaitGroup
	for i := range grants {
		wg.Go(func() {
			<-time.After(time.Duration(i) * between) // synctest's fake time
			grant, err := service.Refresh(t.Context(), token, anyApp)
			if err != nil {
				t.Errorf("refresh %d: %v", i, err)
				return
			}
			grants[i] = grant
		})
	}
	wg.Wait()
	return grants
}

// TestSimultaneousRefreshesShareOneRotation: one hundred refreshes of one token get one successor,
// whether the store is slow (they all wait for the rotation) or faster than the next one can
// start.
func TestSimultaneousRefreshesShareOneRotation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		store, between time.Duration
		wantUpdates    int
	}{
		"slow store, at once":     {store: 10 * time.Millisecond, wantUpdates: 1},
		"instant store, 1ms each": {between: time.Millisecond, wantUpdates: 2},
		"slow store, 4ms each":    {store: 10 * time.Millisecond, between: 4 * time.Millisecond, wantUpdates: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &onlyStore{before: func() { <-time.After(test.store) }}
				service, token := login(t, store)
				grants := refreshMany(t, service, token, test.between)
				seen := map[*auth.Grant]bool{}
				for _, grant := range grants {
					if grant == nil || grant.RefreshToken != grants[0].RefreshToken || seen[grant] {
						t.Fatalf("grant %v: want one successor, and a separate grant for each caller", grant)
					}
					seen[grant] = true
				}
				session, updates, ended := store.look()
				if ended || updates != test.wantUpdates || session.Refresh.Replays != updates-1 {
					t.Fatalf("ended %v after %d updates, %d replays; want %d updates", ended, updates, session.Refresh.Replays, test.wantUpdates)
				}
				if _, err := service.Refresh(t.Context(), grants[0].RefreshToken, anyApp); err != nil {
					t.Fatalf("the successor: %v", err)
				}
			})
		})
	}
}

// TestReplaysOneAfterAnotherAreCounted: every refresh after the result was returned counts as a
// replay, up to the last one.
func TestReplaysOneAfterAnotherAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &onlyStore{}
		service, token := login(t, store)
		for i := range 1 + auth.MaxRefreshReplays {
			if _, err := service.Refresh(t.Context(), token, anyApp); err != nil {
				t.Fatalf("presentation %d: %v", i+1, err)
			}
		}
		if _, err := service.Refresh(t.Context(), token, anyApp); !errors.Is(err, auth.ErrRefreshReused) {
			t.Fatalf("got %v, want ErrRefreshReused", err)
		}
		if _, _, ended := store.look(); !ended {
			t.Fatal("the session has not ended")
		}
	})
}

// TestOutageOfTheStoreDoesNotCount: a refresh rotates the token, and the store becomes unreachable
// before the response is sent. When it is reachable again, the client retries with the token it
// still has. That is not theft, however long the store was unreachable.
func TestOutageOfTheStoreDoesNotCount(t *testing.T) {
	t.Parallel()
	const down = time.Minute
	for name, test := range map[string]struct {
		outage, later time.Duration
		want          error
	}{
		"within the outage and the grace": {outage: down, later: down + auth.RefreshGrace},
		"after both":                      {outage: down, later: down + auth.RefreshGrace + 1, want: auth.ErrRefreshReused},
		"no outage":                       {later: auth.RefreshGrace},
		"no outage, after the grace":      {later: auth.RefreshGrace + 1, want: auth.ErrRefreshReused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service, token := loginOver(t, &onlyStore{}, func() time.Duration { return test.outage })
				first, err := service.Refresh(t.Context(), token, anyApp)
				if err != nil {
					t.Fatal(err)
				}
				<-time.After(test.later)
				again, err := service.Refresh(t.Context(), token, anyApp)
				if !errors.Is(err, test.want) {
					t.Fatalf("got %v, want %v", err, test.want)
				}
				if err == nil && again.RefreshToken != first.RefreshToken {
					t.Fatal("the token has two successors")
				}
			})
		})
	}
}

func TestCancellationDoesNotAffectOtherCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		store := &onlyStore{before: func() { <-release }}
		service, token := login(t, store)
		leaving, leave := context.WithCancel(t.Context())
		impatient, lose := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		var wg sync.WaitGroup
		start := func(ctx context.Context, out chan error) {
			wg.Go(func() {
				_, err := service.Refresh(ctx, token, anyApp)
				out <- err
			})
			synctest.Wait()
		}
		start(leaving, errs) // leads
		start(t.Context(), errs)
		lost := make(chan error, 1)
		start(impatient, lost)
		lose()
		if err := <-lost; !errors.Is(err, context.Canceled) || !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Fatalf("the impatient caller got %v", err)
		}
		leave()
		synctest.Wait()
		close(release)
		wg.Wait()
		for range 2 {
			if err := <-errs; err != nil {
				t.Fatalf("a cancelled caller cancelled another one: %v", err)
			}
		}
		if _, err := service.Refresh(leaving, token, anyApp); !errors.Is(err, context.Canceled) {
			t.Fatalf("already cancelled: %v", err)
		}
		if session, updates, _ := store.look(); updates != 1 || session.Refresh.Replays != 0 {
			t.Fatalf("%d updates, %d replays", updates, session.Refresh.Replays)
		}
	})
}

// TestSharedRefreshKeepsSitesApart: a token must not be admitted to a site, or refused by it,
// because the same token is being refreshed through another site.
func TestSharedRefreshKeepsSitesApart(t *testing.T) {
	t.Parallel()
	for name, sites := range map[string][2]auth.Apps{
		"the leader's site does not admit":   {noApp, anyApp},
		"the follower's site does not admit": {anyApp, noApp},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &onlyStore{before: func() { <-time.After(time.Millisecond) }}
				service, token := login(t, store)
				var wg sync.WaitGroup
				for _, admitted := range sites {
					wg.Go(func() {
						_, err := service.Refresh(t.Context(), token, admitted)
						if want := !admitted(theApp); errors.Is(err, auth.ErrAppNotAdmitted) != want || !want && err != nil {
							t.Errorf("admitted %v: %v", !want, err)
						}
					})
					synctest.Wait()
				}
				wg.Wait()
			})
		})
	}
}
