package bolt_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestDamageIsAnError: whichever bytes of a file are damaged, opening the file succeeds or returns
// an error, and so does each call afterwards. The process never ends.
func TestDamageIsAnError(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	good, err := os.ReadFile(closedFile(t, c))
	sessiontest.Must(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "damaged.db")
	refused := 0
	const rounds = 400
	for range rounds {
		bad := append([]byte(nil), good...)
		if rng.IntN(4) == 0 { // a page that was not written, or written elsewhere
			page := rng.IntN(len(bad)/4096) * 4096
			from := rng.IntN(len(bad)/4096) * 4096
			copy(bad[page:page+4096], good[from:from+4096])
		}
		for range 1 + rng.IntN(20) { // damage in page heads matters most
			at := rng.IntN(len(bad)/4096)*4096 + rng.IntN(128)
			bad[at] = byte(rng.Uint32())
		}
		sessiontest.Must(t, os.WriteFile(path, bad, 0o600))
		if !survives(t, c, path) {
			refused++
		}
		if t.Failed() {
			return
		}
	}
	if refused == 0 || refused == rounds {
		t.Errorf("%d of %d damaged files were refused: the test damages too little or too much", refused, rounds)
	}
}

// survives uses a damaged file; every error must be of a known class.
func survives(t *testing.T, c *sessiontest.Clock, path string) (opened bool) {
	t.Helper()
	known := func(err error) {
		t.Helper()
		for _, class := range []error{session.ErrCorrupt, session.ErrOtherSecret, session.ErrNewerSchema, auth.ErrStoreUnavailable, auth.ErrNoSession} {
			if err == nil || errors.Is(err, class) {
				return
			}
		}
		t.Errorf("an error of no class: %v", err)
	}
	_, err := bolt.Check(path)
	known(err)
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	if known(err); err != nil {
		return false
	}
	defer func() { known(file.Close()) }()
	store, err := file.Store(sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	if known(err); err != nil {
		return false
	}
	known(sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Alice, c), auth.SessionKey{Key: "k9"}, auth.SessionLimit{})))
	known(sessiontest.ErrOf(store.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))
	_, err = file.Sweep(t.Context(), c.Now().Add(sessiontest.Life), 100)
	known(err)
	known(file.Ready(t.Context()))
	return true
}
