package session_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// After Close, every call says that the store is unavailable, and none hangs.
func TestClosed(t *testing.T) {
	t.Parallel()
	c := newClock()
	file, err := session.OpenFile(tempFile(t), session.Options{Now: c.Now})
	must(t, err)
	store := over(t, file, c, mustBox(t, secretOne))
	s := begin(t, store, alice, c, "k1")
	must(t, file.Ready(t.Context()))
	file.Start()
	must(t, file.Close())
	must(t, file.Close())
	file.Start()
	_, sessionErr := store.Session(t.Context(), s.ID)
	_, sweepErr := file.Sweep(t.Context(), c.Now(), 1)
	_, storeErr := file.Store(mustBox(t, secretOne), c.Now)
	for name, err := range map[string]error{
		"Create": store.Create(t.Context(), sessionOf(bob, c), auth.SessionKey{}), "Session": sessionErr,
		"EndUser": errOf(store.EndUser(t.Context(), alice, c.Now(), time.Time{})), "Sweep": sweepErr, "Ready": file.Ready(t.Context()), "Store": storeErr,
	} {
		if !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: got %v, want ErrStoreUnavailable", name, err)
		}
	}
}

// The sweeper sweeps by its ticker, says what failed, and ends with the store.
func TestSweeper(t *testing.T) {
	t.Parallel()
	type sweeping interface {
		Start()
		Close() error
	}
	path := tempFile(t)
	synctest.Test(t, func(t *testing.T) {
		var failures []error
		opts := session.Options{OnError: func(err error) { failures = append(failures, err) }}
		file, err := session.OpenFile(path, opts)
		must(t, err)
		store, err := file.Store(mustBox(t, secretOne), time.Now)
		must(t, err)
		memory := session.NewMemory(time.Now, opts)
		c := newClock()
		for _, s := range []auth.Store{store, memory} {
			c.us.Store(time.Now().UnixMicro())
			begin(t, s, alice, c, "k1")
		}
		for _, s := range []sweeping{file, memory} {
			s.Start()
			s.Start()
		}
		<-time.After(idle + 2*time.Minute)
		synctest.Wait()
		for name, got := range map[string]session.Stats{"file": file.Stats(), "memory": memory.Stats()} {
			if got.Sessions != 0 || got.Users != 0 {
				t.Errorf("%s: %+v is left", name, got)
			}
		}
		for _, s := range []sweeping{file, memory} {
			must(t, s.Close())
		}
		if len(failures) != 0 {
			t.Error(fmt.Errorf("sweeps failed: %w", errors.Join(failures...)))
		}
	})
}
