package bolt_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestRootSecretRotation: the root secret is rotated on a running gateway: <one>, then <two>
// <one>, then <two> alone. No user is logged out while both are configured, and no revocation is
// ever lost.
func TestRootSecretRotation(t *testing.T) {
	t.Parallel()
	c, path := sessiontest.NewClock(), tempFile(t)
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	oldConfig := storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne))
	old, ended := sessiontest.Begin(t, oldConfig, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, oldConfig, sessiontest.Alice, c, "k2")
	sessiontest.End(t, oldConfig, ended.ID)
	sessiontest.Must(t, sessiontest.ErrOf(oldConfig.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))

	newConfig := storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretTwo, sessiontest.SecretOne))
	if _, err := newConfig.Session(t.Context(), old.ID); err != nil || !slices.Equal(sessiontest.KeysOf(t, newConfig, sessiontest.Alice), []string{"k2", "k1"}) {
		t.Fatalf("after the rotation: %v, %v", err, sessiontest.KeysOf(t, newConfig, sessiontest.Alice))
	}
	touch(t, newConfig, old.ID)
	untouched := sessiontest.Begin(t, oldConfig, sessiontest.OtherAlice, c, "k3") // a request in progress

	sessiontest.Must(t, file.Close())
	store := openAt(t, path, c, sessiontest.MustBox(t, sessiontest.SecretTwo))
	if _, err := store.Session(t.Context(), old.ID); err != nil {
		t.Errorf("a session written since the rotation: %v", err)
	}
	if !store.Set.Revoked(sessiontest.Bearer(ended)) || sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Bob, c), auth.SessionKey{}, auth.SessionLimit{})) == nil {
		t.Error("revocations were lost with the old secret")
	}
	_, err = store.Session(t.Context(), untouched.ID)
	if !errors.Is(err, auth.ErrNoSession) || !errors.Is(err, session.ErrOtherSecret) {
		t.Errorf("got %v, want ErrNoSession because of ErrOtherSecret", err)
	}
	sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.OtherAlice, c), auth.SessionKey{Key: "k4"}, auth.SessionLimit{})))
	if got := sessiontest.KeysOf(t, store, sessiontest.OtherAlice); !slices.Equal(got, []string{"k4"}) {
		t.Errorf("keys %v", got)
	}
}

func touch(t *testing.T, store auth.Store, id auth.SessionID) {
	t.Helper()
	sessiontest.Must(t, store.Update(t.Context(), id, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }))
}

func TestOtherSecret(t *testing.T) {
	t.Parallel()
	c, path := sessiontest.NewClock(), tempFile(t)
	file := openFile(t, path, c)
	store := storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne))
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	_, err := file.Store(sessiontest.MustBox(t, sessiontest.SecretTwo), c.Now)
	if !errors.Is(err, session.ErrOtherSecret) || !strings.Contains(err.Error(), "secret <new> <old>") || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v, want ErrOtherSecret with advice", err)
	}
	if _, err := store.SessionKeys(t.Context(), sessiontest.Alice); err != nil {
		t.Fatalf("the running configuration was affected: %v", err)
	}
}

// TestOtherSecretOfAnEmptyFile: an empty file belongs to no secret. A first start that failed with
// one secret must not prevent the next start with another.
func TestOtherSecretOfAnEmptyFile(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	file := openFile(t, tempFile(t), c)
	storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne))
	sessiontest.Begin(t, storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretTwo)), sessiontest.Alice, c, "k1")
}

// TestOpeningWritesNothing: opening a file with a new secret, for a configuration that fails
// later, must not make the file unusable with the old secret.
func TestOpeningWritesNothing(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	file := openFile(t, tempFile(t), c)
	sessiontest.Begin(t, storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne)), sessiontest.Alice, c, "k1")
	storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretTwo, sessiontest.SecretOne))
	storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne))
}

// TestUnreadableRevocationIsNotIgnored: a revocation that cannot be read may be that of a stolen
// token.
func TestUnreadableRevocationIsNotIgnored(t *testing.T) {
	t.Parallel()
	c, path, box := sessiontest.NewClock(), tempFile(t), sessiontest.MustBox(t, sessiontest.SecretOne)
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	store := storeOn(t, file, c, box)
	for range 2 {
		sessiontest.End(t, store, sessiontest.Begin(t, store, sessiontest.Alice, c, "k1").ID)
	}
	sessiontest.Must(t, file.Close())
	edit(t, path, func(b buckets) { b.swap("revocations") })
	file = openFile(t, path, c)
	if _, err := file.Store(box, c.Now); !errors.Is(err, session.ErrCorrupt) {
		t.Fatalf("got %v, want ErrCorrupt", err)
	}
	c.Advance(sessiontest.Life) // until every token that it could match has expired
	storeOn(t, file, c, box)
}
