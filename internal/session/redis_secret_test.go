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

// storeOver is a configuration of a replica with its own root secrets.
func storeOver(t testing.TB, r *redisUnderTest, c *clock, secrets ...[]byte) opened {
	t.Helper()
	store, err := r.Store(t.Context(), mustBox(t, secrets...), c.Now)
	must(t, err)
	return opened{Store: store, set: r.Revocations(), sweep: r.sweep, stats: r.stats}
}

// The root secret is rotated on one replica after the other, while all run. They
// read each other's records all the time; in the end the old secret is gone and
// nothing is lost.
func TestRedisRootSecretRotation(t *testing.T) {
	t.Parallel()
	c := newClock()
	one, cfg := openRedisWith(t, c, session.RedisConfig{})
	other, _ := openRedisWith(t, c, cfg)
	oldConfig, notYet := storeOver(t, one, c, secretOne), storeOver(t, other, c, secretOne)
	old, ended := begin(t, oldConfig, alice, c, "k1"), begin(t, oldConfig, alice, c, "k2")
	end(t, oldConfig, ended.ID)
	must(t, errOf(oldConfig.EndUser(t.Context(), bob, c.Now(), time.Time{})))

	rotated := storeOver(t, one, c, secretTwo, secretOne)
	storeOver(t, one, c, secretOne) // looking at the store does not turn it away
	fresh := begin(t, rotated, otherAlice, c, "k3")
	for name, store := range map[string]opened{"rotated": rotated, "not yet": notYet} {
		for _, id := range []auth.SessionID{old.ID, fresh.ID} {
			if _, err := store.Session(t.Context(), id); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	end(t, rotated, begin(t, rotated, alice, c, "k4").ID)
	c.advance(time.Second)
	late := begin(t, notYet, bob, c, "")
	end(t, notYet, late.ID)
	eventually(t, "heard across the rotation", func() bool { return rotated.set.Revoked(bearer(late)) })

	last, _ := openRedisWith(t, c, cfg)
	store := storeOver(t, last, c, secretTwo)
	for _, id := range []auth.SessionID{old.ID, fresh.ID} {
		if _, err := store.Session(t.Context(), id); err != nil {
			t.Errorf("with the new secret alone: %v", err)
		}
	}
	if !store.set.Revoked(bearer(ended)) || !store.set.Revoked(bearer(late)) {
		t.Error("revocations were lost with the old secret")
	}
	if got := keysOf(t, store, alice); !slices.Equal(got, []string{"k4", "k2", "k1"}) {
		t.Errorf("keys %v", got)
	}
	if _, err := last.Store(t.Context(), mustBox(t, secretOne), c.Now); !errors.Is(err, session.ErrOtherSecret) {
		t.Errorf("the old secret alone: %v, want ErrOtherSecret", err)
	}
}

// Two replicas that each made a secret of their own are told, and the first one
// goes on.
func TestRedisOtherSecret(t *testing.T) {
	t.Parallel()
	c := newClock()
	one, cfg := openRedisWith(t, c, session.RedisConfig{})
	store := storeOver(t, one, c, secretOne)
	other, _ := openRedisWith(t, c, cfg)
	_, err := other.Store(t.Context(), mustBox(t, secretTwo), c.Now)
	if !errors.Is(err, session.ErrOtherSecret) || !strings.Contains(err.Error(), "secret <new> <old>") || !strings.Contains(err.Error(), cfg.Addresses[0]) {
		t.Fatalf("got %v, want ErrOtherSecret that says what to do", err)
	}
	begin(t, store, alice, c, "k1")
	cfg.Prefix = "another"
	third, _ := openRedisWith(t, c, cfg)
	if _, err := storeOver(t, third, c, secretTwo).SessionKeys(t.Context(), alice); err != nil {
		t.Fatalf("with a prefix of its own: %v", err)
	}
}

// A revocation that cannot be read may be of a stolen token: a replica neither
// starts over it nor counts as up to date.
func TestRedisUnreadableRevocation(t *testing.T) {
	t.Parallel()
	c := newClock()
	one, cfg := openRedisWith(t, c, session.RedisConfig{})
	store := storeOver(t, one, c, secretOne)
	end(t, store, begin(t, store, alice, c, "k1").ID)
	stream := "wxgate:" + tagOf(alice) + ":revoked"
	entries, err := do(t, one.admin, "XRANGE", stream, "-", "+").AsXRange()
	must(t, err)
	spoilt := []byte(entries[0].FieldValues["b"])
	spoilt[len(spoilt)-1] ^= 1
	do(t, one.admin, "XADD", stream, "*", "b", string(spoilt), "u", "9999999999999", "t", "1", "r", "x")
	eventually(t, "not ready", func() bool { return errors.Is(one.Ready(t.Context()), auth.ErrStoreUnavailable) })
	if err := one.Ready(t.Context()); !errors.Is(err, session.ErrCorrupt) {
		t.Errorf("not ready because of %v, want ErrCorrupt", err)
	}
	other, _ := openRedisWith(t, c, cfg)
	if _, err := other.Store(t.Context(), mustBox(t, secretOne), c.Now); !errors.Is(err, session.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
	do(t, one.admin, "DEL", stream)
	eventually(t, "ready again", func() bool { return one.Ready(t.Context()) == nil })
}
