package memory_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/memory"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestMemoryIsBounded: a full memory store ends the session that would expire first, and
// accepts the new one. A flood of logins must neither fill the memory nor stop logins.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	store := memory.New(c.Now, session.Options{})
	store.SetMax(3)
	first := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	c.Advance(time.Minute)
	second := sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
	c.Advance(time.Minute)
	sessiontest.Begin(t, store, sessiontest.OtherAlice, c, "k3")
	sessiontest.Must(t, store.Update(t.Context(), first.ID, func(s *auth.Session) (auth.Verdict, error) {
		s.IdleEnd = c.Now().Add(sessiontest.Idle)
		return auth.Save, nil
	}))
	c.Advance(time.Minute)
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k4")
	if _, err := store.Session(t.Context(), second.ID); !errors.Is(err, auth.ErrNoSession) || !store.Revocations().Revoked(sessiontest.Bearer(second)) {
		t.Errorf("the session that expires first: %v", err)
	}
	if _, err := store.Session(t.Context(), first.ID); err != nil {
		t.Errorf("the refreshed session: %v", err)
	}
	if keys := sessiontest.KeysOf(t, store, sessiontest.Bob); len(keys) != 0 || store.Count().Sessions != 3 {
		t.Errorf("bob's keys %v, %+v", keys, store.Count())
	}
	sessiontest.Must(t, store.Ready(t.Context()))
}

// TestSweeperMemory: the sweeper sweeps at each tick, reports failures, and ends with the store.
func TestSweeperMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := session.Options{OnError: func(err error) { t.Errorf("a sweep failed: %v", err) }}
		kept := memory.New(time.Now, opts)
		store := kept
		c := sessiontest.NewClock()
		c.Micros.Store(time.Now().UnixMicro())
		sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
		kept.Start()
		kept.Start()
		<-time.After(sessiontest.Idle + 2*time.Minute)
		synctest.Wait()
		if got := kept.Count(); got.Sessions != 0 || got.Users != 0 {
			t.Errorf("%+v is left", got)
		}
		sessiontest.Must(t, kept.Close())
	})
}

// TestSweeperOutlivesAClockAhead: the sweeper uses the steady clock. While the wall clock is a
// year ahead, it removes neither a revocation nor a live session.
func TestSweeperOutlivesAClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sessiontest.NewClock()
		began := c.Now()
		store := memory.New(c.Now, session.Options{Now: func() time.Time { return began }})
		ended := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
		sessiontest.End(t, store, ended.ID)
		live := sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
		const year = 365 * 24 * time.Hour
		c.Advance(year)
		store.Start()
		time.Sleep(5 * time.Minute) // one sweep per minute
		sessiontest.Must(t, store.Close())
		c.Advance(-year)
		if !store.Revocations().Revoked(sessiontest.Bearer(ended)) {
			t.Error("the revocation was forgotten")
		}
		if _, err := store.Session(t.Context(), live.ID); err != nil {
			t.Errorf("the live session is gone: %v", err)
		}
	})
}
