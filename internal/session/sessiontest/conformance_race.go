package sessiontest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// AtOnce is how many callers a race has.
const AtOnce = 100

// Together calls do from n goroutines that start at the same time.
func Together(n int, do func(i int)) {
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

// raceUpdates: two updates of one session happen one after the other, and none is lost.
func raceUpdates(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	Together(AtOnce, func(int) {
		err := store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
			s.Refresh.Replays++
			return auth.Save, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	got, err := store.Session(t.Context(), s.ID)
	Must(t, err)
	if got.Refresh.Replays != AtOnce {
		t.Fatalf("%d updates of %d were kept", got.Refresh.Replays, AtOnce)
	}
}

// raceEndUpdate: whichever call is first, an ended session stays ended. Its tokens are revoked,
// including the last one that an update issued.
func raceEndUpdate(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	var saved, ends atomic.Int32
	Together(AtOnce, func(i int) {
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
			if !store.Set.Revoked(Bearer(s)) {
				t.Error("not revoked when the call returned")
			}
		default:
			saved.Add(1)
		}
	})
	if ends.Load() != 1 {
		t.Fatalf("ended %d times", ends.Load())
	}
	WantNoSession(t, store, "ended in a race", s.ID)
	until := s.AccessEnd.Add(time.Duration(saved.Load()+1) * time.Minute)
	_, err := store.Sweep(t.Context(), until.Add(-time.Microsecond), 10)
	Must(t, err)
	if !store.Set.Revoked(Bearer(s)) {
		t.Fatal("forgotten while the last token is valid")
	}
}

// raceEndUserCreate: a login that races with "log out everywhere" is refused or succeeds. Its
// session is never stored and revoked, or ended and not revoked.
func raceEndUserCreate(t *testing.T, store Store, c *Clock) {
	sessions := make([]*auth.Session, AtOnce)
	Together(AtOnce, func(i int) {
		if i%10 == 9 {
			if _, err := store.EndUser(t.Context(), Alice, c.Now(), time.Time{}); err != nil {
				t.Error(err)
			}
			return
		}
		c.Advance(time.Millisecond)
		s := NewSession(Alice, c)
		err := ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "k1"}, auth.SessionLimit{}))
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
		if there := err == nil; there == store.Set.Revoked(Bearer(s)) {
			t.Errorf("stored %v, revoked %v", there, !there)
		}
		if err == nil {
			live++
		}
	}
	if keys := KeysOf(t, store, Alice); len(keys) != min(live, 1) {
		t.Errorf("%d sessions live, keys %v", live, keys)
	}
	if got := store.Count().Sessions; got != live {
		t.Errorf("%d sessions live, counted %d", live, got)
	}
}

func raceCreates(t *testing.T, store Store, c *Clock) {
	Together(AtOnce+10, func(int) {
		if err := ErrOf(store.Create(t.Context(), NewSession(Alice, c), auth.SessionKey{Key: "k1"}, auth.SessionLimit{})); err != nil {
			t.Error(err)
		}
		if err := ErrOf(store.Create(t.Context(), NewSession(Bob, c), auth.SessionKey{}, auth.SessionLimit{})); err != nil {
			t.Error(err)
		}
	})
	if got := store.Count(); got.Sessions != 2*auth.MaxUserSessions || got.Users != 2 || store.Set.Len() != 20 {
		t.Fatalf("%+v, %d revocations", got, store.Set.Len())
	}
}
