package session_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// atOnce is how many callers a race has.
const atOnce = 100

// together calls do from many goroutines that start at one moment.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}

// Two updates of one session happen one after the other: none is lost.
func raceUpdates(t *testing.T, store opened, c *clock) {
	s := begin(t, store, alice, c, "k1")
	together(atOnce, func(int) {
		err := store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
			s.Refresh.Replays++
			return auth.Save, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	got, err := store.Session(t.Context(), s.ID)
	must(t, err)
	if got.Refresh.Replays != atOnce {
		t.Fatalf("%d updates of %d are left", got.Refresh.Replays, atOnce)
	}
}

// Whoever wins, an ended session stays ended and its tokens revoked, to the last
// that an update issued.
func raceEndUpdate(t *testing.T, store opened, c *clock) {
	s := begin(t, store, alice, c, "k1")
	var saved, ends atomic.Int32
	together(atOnce, func(i int) {
		verdict := auth.Save
		if i%10 == 9 {
			verdict = auth.End
		}
		err := store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
			s.AccessEnd = s.AccessEnd.Add(time.Minute)
			return verdict, nil
		})
		switch {
		case errors.Is(err, auth.ErrNoSession):
		case err != nil:
			t.Error(err)
		case verdict == auth.End:
			ends.Add(1)
			if !store.set.Revoked(bearer(s)) {
				t.Error("not revoked when the call returned")
			}
		default:
			saved.Add(1)
		}
	})
	if ends.Load() != 1 {
		t.Fatalf("ended %d times", ends.Load())
	}
	wantNoSession(t, store, "ended in a race", s.ID)
	until := s.AccessEnd.Add(time.Duration(saved.Load()+1) * time.Minute)
	_, err := store.sweep(t.Context(), until.Add(-time.Microsecond), 10)
	must(t, err)
	if !store.set.Revoked(bearer(s)) {
		t.Fatal("forgotten while the last token is valid")
	}
}

// A login that races with "log out everywhere" is refused or lives; it is never
// answered with a session that is there and revoked, or ended and not revoked.
func raceEndUserCreate(t *testing.T, store opened, c *clock) {
	sessions := make([]*auth.Session, atOnce)
	together(atOnce, func(i int) {
		if i%10 == 9 {
			if _, err := store.EndUser(t.Context(), alice, c.Now(), time.Time{}); err != nil {
				t.Error(err)
			}
			return
		}
		c.advance(time.Millisecond)
		s := sessionOf(alice, c)
		err := store.Create(t.Context(), s, auth.SessionKey{Key: "k1"})
		var early *auth.CreatedTooEarlyError
		switch {
		case errors.As(err, &early):
		case err != nil:
			t.Error(err)
		default:
			sessions[i] = s
		}
	})
	live := 0
	for _, s := range sessions {
		if s == nil {
			continue
		}
		_, err := store.Session(t.Context(), s.ID)
		if there := err == nil; there == store.set.Revoked(bearer(s)) {
			t.Errorf("there %v, revoked %v", there, !there)
		}
		if err == nil {
			live++
		}
	}
	if keys := keysOf(t, store, alice); len(keys) != min(live, 1) {
		t.Errorf("%d sessions live, keys %v", live, keys)
	}
	if got := store.stats().Sessions; got != live {
		t.Errorf("%d sessions live, counted %d", live, got)
	}
}

func raceCreates(t *testing.T, store opened, c *clock) {
	together(atOnce+10, func(int) {
		if err := store.Create(t.Context(), sessionOf(alice, c), auth.SessionKey{Key: "k1"}); err != nil {
			t.Error(err)
		}
		if err := store.Create(t.Context(), sessionOf(bob, c), auth.SessionKey{}); err != nil {
			t.Error(err)
		}
	})
	if stats := store.stats(); stats.Sessions != 2*session.MaxUserSessions || stats.Users != 2 || stats.Revocations.Sessions != 20 {
		t.Fatalf("%+v", stats)
	}
}
