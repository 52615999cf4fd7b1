package session_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// The root secret is rotated on a running gateway: <one>, then <two> <one>, then
// <two> alone. Nobody is logged out while both are there, and no revocation is
// ever lost.
func TestRootSecretRotation(t *testing.T) {
	t.Parallel()
	c, path := newClock(), tempFile(t)
	file, err := session.OpenFile(path, session.Options{Now: c.Now})
	must(t, err)
	oldConfig := over(t, file, c, mustBox(t, secretOne))
	old, ended := begin(t, oldConfig, alice, c, "k1"), begin(t, oldConfig, alice, c, "k2")
	end(t, oldConfig, ended.ID)
	must(t, errOf(oldConfig.EndUser(t.Context(), bob, c.Now(), time.Time{})))

	newConfig := over(t, file, c, mustBox(t, secretTwo, secretOne))
	if _, err := newConfig.Session(t.Context(), old.ID); err != nil || !slices.Equal(keysOf(t, newConfig, alice), []string{"k2", "k1"}) {
		t.Fatalf("after the rotation: %v, %v", err, keysOf(t, newConfig, alice))
	}
	touch(t, newConfig, old.ID)
	untouched := begin(t, oldConfig, otherAlice, c, "k3") // a request that was under way

	must(t, file.Close())
	store := openBoltAt(t, path, c, mustBox(t, secretTwo))
	if _, err := store.Session(t.Context(), old.ID); err != nil {
		t.Errorf("a session that was written since the rotation: %v", err)
	}
	if !store.set.Revoked(bearer(ended)) || store.Create(t.Context(), sessionOf(bob, c), auth.SessionKey{}) == nil {
		t.Error("revocations were lost with the old secret")
	}
	_, err = store.Session(t.Context(), untouched.ID)
	if !errors.Is(err, auth.ErrNoSession) || !errors.Is(err, session.ErrOtherSecret) {
		t.Errorf("got %v, want ErrNoSession because of ErrOtherSecret", err)
	}
	must(t, store.Create(t.Context(), sessionOf(otherAlice, c), auth.SessionKey{Key: "k4"}))
	if got := keysOf(t, store, otherAlice); !slices.Equal(got, []string{"k4"}) {
		t.Errorf("keys %v", got)
	}
}

func touch(t *testing.T, store auth.Store, id auth.SessionID) {
	t.Helper()
	must(t, store.Update(t.Context(), id, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }))
}

func TestOtherSecret(t *testing.T) {
	t.Parallel()
	c, path := newClock(), tempFile(t)
	file := mustOpenFile(t, path, c)
	store := over(t, file, c, mustBox(t, secretOne))
	begin(t, store, alice, c, "k1")
	_, err := file.Store(mustBox(t, secretTwo), c.Now)
	if !errors.Is(err, session.ErrOtherSecret) || !strings.Contains(err.Error(), "secret <new> <old>") || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v, want ErrOtherSecret that says what to do", err)
	}
	if _, err := store.SessionKeys(t.Context(), alice); err != nil {
		t.Fatalf("the configuration that runs was hurt: %v", err)
	}
}

// A file that holds nothing is nobody's: a first start that failed with one
// secret must not be in the way of the next with another.
func TestOtherSecretOfAnEmptyFile(t *testing.T) {
	t.Parallel()
	c := newClock()
	file := mustOpenFile(t, tempFile(t), c)
	over(t, file, c, mustBox(t, secretOne))
	begin(t, over(t, file, c, mustBox(t, secretTwo)), alice, c, "k1")
}

// Looking at a file with a new secret, as a configuration does that fails later,
// must not turn it away from the old one.
func TestOpeningWritesNothing(t *testing.T) {
	t.Parallel()
	c := newClock()
	file := mustOpenFile(t, tempFile(t), c)
	begin(t, over(t, file, c, mustBox(t, secretOne)), alice, c, "k1")
	over(t, file, c, mustBox(t, secretTwo, secretOne))
	over(t, file, c, mustBox(t, secretOne))
}

// A revocation that cannot be read may be of a stolen token.
func TestUnreadableRevocationIsNotIgnored(t *testing.T) {
	t.Parallel()
	c, path, box := newClock(), tempFile(t), mustBox(t, secretOne)
	file, err := session.OpenFile(path, session.Options{Now: c.Now})
	must(t, err)
	store := over(t, file, c, box)
	for range 2 {
		end(t, store, begin(t, store, alice, c, "k1").ID)
	}
	must(t, file.Close())
	edit(t, path, func(b buckets) { b.swap("revocations") })
	file = mustOpenFile(t, path, c)
	if _, err := file.Store(box, c.Now); !errors.Is(err, session.ErrCorrupt) {
		t.Fatalf("got %v, want ErrCorrupt", err)
	}
	c.advance(life) // until nothing that it could match is valid
	over(t, file, c, box)
}
