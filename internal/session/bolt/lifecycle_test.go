package bolt_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestClosed: after Close, every call returns ErrStoreUnavailable, and none blocks.
func TestClosed(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	file, err := bolt.Open(tempFile(t), session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	store := storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne))
	s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	sessiontest.Must(t, file.Ready(t.Context()))
	file.Start()
	sessiontest.Must(t, file.Close())
	sessiontest.Must(t, file.Close())
	file.Start()
	_, sessionErr := store.Session(t.Context(), s.ID)
	_, sweepErr := file.Sweep(t.Context(), c.Now(), 1)
	_, storeErr := file.Store(sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	for name, err := range map[string]error{
		"Create": sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Bob, c), auth.SessionKey{}, auth.SessionLimit{})), "Session": sessionErr,
		"EndUser": sessiontest.ErrOf(store.EndUser(t.Context(), sessiontest.Alice, c.Now(), time.Time{})), "Sweep": sweepErr, "Ready": file.Ready(t.Context()), "Store": storeErr,
	} {
		if !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: got %v, want ErrStoreUnavailable", name, err)
		}
	}
}

// TestSweeperFile: the sweeper sweeps at each tick, reports failures, and ends with the store.
func TestSweeperFile(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	synctest.Test(t, func(t *testing.T) {
		opts := session.Options{OnError: func(err error) { t.Errorf("a sweep failed: %v", err) }}
		kept, err := bolt.Open(path, opts)
		sessiontest.Must(t, err)
		store, err := kept.Store(sessiontest.MustBox(t, sessiontest.SecretOne), time.Now)
		sessiontest.Must(t, err)
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
