package redis_test

import (
	"errors"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	store := openStore(t, c).Store.(sessiontest.Mover)
	old := sessiontest.NewSession(sessiontest.Alice, c)
	old.ID = auth.NewSessionID(c.Now(), sessiontest.Bob)
	if err := store.Import(t.Context(), session.Entry{Session: old}); !errors.Is(err, session.ErrOldSessionID) {
		t.Errorf("got %v, want ErrOldSessionID", err)
	}
	if err := sessiontest.ErrOf(store.Create(t.Context(), old, auth.SessionKey{}, auth.SessionLimit{})); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("got %v, want ErrStoreUnavailable", err)
	}
	for name, e := range map[string]session.Entry{"nothing": {}, "two": {Session: sessiontest.NewSession(sessiontest.Bob, c), Revocation: &auth.Revocation{}}} {
		if err := store.Import(t.Context(), e); !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
