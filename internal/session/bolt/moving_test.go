package bolt_test

import (
	"errors"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestImportAll: ImportAll imports all entries, of every kind, or none.
func TestImportAll(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	store := openStore(t, c).Store.(*bolt.Store)
	a, b := sessiontest.NewSession(sessiontest.Alice, c), sessiontest.NewSession(sessiontest.Bob, c)
	entries := []session.Entry{
		{Session: a}, {User: a.User, Keys: []auth.SessionKey{{Key: "k1", ObtainedAt: c.Now()}}}, {Session: b},
		{Revocation: &auth.Revocation{Session: b.ID, Until: b.End()}},
	}
	if err := store.ImportAll(t.Context(), append(entries, session.Entry{})); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("with an empty entry: %v, want ErrStoreUnavailable", err)
	}
	if _, err := store.Session(t.Context(), a.ID); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("some entries were imported: %v, want ErrNoSession", err)
	}
	sessiontest.Must(t, store.ImportAll(t.Context(), entries))
	_, err := store.Session(t.Context(), a.ID)
	sessiontest.Must(t, err)
	if keys := sessiontest.KeysOf(t, store, a.User); len(keys) != 1 || keys[0] != "k1" {
		t.Errorf("session keys %q, want k1", keys)
	}
	if _, err := store.Session(t.Context(), b.ID); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the revoked session: %v, want ErrNoSession", err)
	}
}
