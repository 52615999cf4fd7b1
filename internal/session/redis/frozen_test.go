//go:build unix

package redis_test

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// processID returns the process ID of a server.
func processID(t testing.TB, s *sessiontest.RedisServer) int {
	t.Helper()
	text, err := do(t, plainAdmin(t, s.Addr), "INFO", "server").ToString()
	sessiontest.Must(t, err)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "process_id:"); ok {
			id, err := strconv.Atoi(strings.TrimSpace(value))
			sessiontest.Must(t, err)
			return id
		}
	}
	t.Fatal("the server does not report its process ID")
	return 0
}

// TestRedisFrozen: a server accepts connections but sends no responses, as behind a network
// that loses every packet. No operation blocks, however many there are, and soon each fails at
// once. When the server responds again, the store works again.
func TestRedisFrozen(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(t)
	r, _ := openPlainly(t, c, redis.Config{Addresses: []string{server.Addr}})
	_, store := openPlainly(t, c, redis.Config{Addresses: []string{server.Addr}})
	s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	pid := processID(t, server)
	sessiontest.Must(t, syscall.Kill(pid, syscall.SIGSTOP))
	thaw := func() { sessiontest.Must(t, syscall.Kill(pid, syscall.SIGCONT)) }
	defer func() {
		if t.Failed() {
			thaw()
		}
	}()
	const most = 4 * time.Second // to detect the failure; afterwards nothing waits
	frozen := time.Now()
	sessiontest.Together(2000, func(int) {
		began := time.Now()
		if _, err := store.Session(t.Context(), s.ID); !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("got %v, want ErrStoreUnavailable", err)
		}
		if took := time.Since(began); took > most {
			t.Errorf("it took %v", took)
		}
	})
	eventually(t, "noticed", func() bool { return r.Ready(t.Context()) != nil })
	if took := time.Since(frozen); took > most {
		t.Errorf("noticed after %v", took)
	}
	began := time.Now()
	sessiontest.Together(2000, func(int) {
		if err := sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Alice, c), auth.SessionKey{}, auth.SessionLimit{})); !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("got %v, want ErrStoreUnavailable", err)
		}
	})
	if took := time.Since(began); took > time.Second {
		t.Errorf("2000 failures took %v", took)
	}
	if stale := r.Stale(); stale < time.Second {
		t.Errorf("stale for %v", stale)
	}
	thaw()
	eventually(t, "working again", func() bool {
		_, err := store.Session(t.Context(), s.ID)
		return err == nil && r.Ready(t.Context()) == nil && r.Stale() < time.Second
	})
}
