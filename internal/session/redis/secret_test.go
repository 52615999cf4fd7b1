package redis_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// storeOver opens a configuration of a replica with its own root secrets.
func storeOver(t testing.TB, r *clientUnderTest, c *sessiontest.Clock, secrets ...[]byte) sessiontest.Store {
	t.Helper()
	store, err := r.Store(t.Context(), sessiontest.MustBox(t, secrets...), c.Now)
	sessiontest.Must(t, err)
	return sessiontest.Store{Store: store, Set: r.Revocations(), Sweep: r.sweep, Count: r.count, Gauge: r.Counts}
}

// TestRedisRootSecretRotation rotates the root secret on one replica after the other, while all
// of them run. They can always read each other's records; in the end the old secret is removed
// and nothing is lost.
func TestRedisRootSecretRotation(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	one, cfg := openWith(t, c, redis.Config{})
	other, _ := openWith(t, c, cfg)
	oldConfig, notYet := storeOver(t, one, c, sessiontest.SecretOne), storeOver(t, other, c, sessiontest.SecretOne)
	old, ended := sessiontest.Begin(t, oldConfig, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, oldConfig, sessiontest.Alice, c, "k2")
	sessiontest.End(t, oldConfig, ended.ID)
	sessiontest.Must(t, sessiontest.ErrOf(oldConfig.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))

	rotated := storeOver(t, one, c, sessiontest.SecretTwo, sessiontest.SecretOne)
	storeOver(t, one, c, sessiontest.SecretOne) // opening the store must not exclude the new secret
	fresh := sessiontest.Begin(t, rotated, sessiontest.OtherAlice, c, "k3")
	for name, store := range map[string]sessiontest.Store{"rotated": rotated, "not yet": notYet} {
		for _, id := range []auth.SessionID{old.ID, fresh.ID} {
			if _, err := store.Session(t.Context(), id); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	sessiontest.End(t, rotated, sessiontest.Begin(t, rotated, sessiontest.Alice, c, "k4").ID)
	c.Advance(time.Second)
	late := sessiontest.Begin(t, notYet, sessiontest.Bob, c, "")
	sessiontest.End(t, notYet, late.ID)
	eventually(t, "received across the rotation", func() bool { return rotated.Set.Revoked(sessiontest.Bearer(late)) })

	last, _ := openWith(t, c, cfg)
	store := storeOver(t, last, c, sessiontest.SecretTwo)
	for _, id := range []auth.SessionID{old.ID, fresh.ID} {
		if _, err := store.Session(t.Context(), id); err != nil {
			t.Errorf("with the new secret alone: %v", err)
		}
	}
	if !store.Set.Revoked(sessiontest.Bearer(ended)) || !store.Set.Revoked(sessiontest.Bearer(late)) {
		t.Error("revocations were lost with the old secret")
	}
	if got := sessiontest.KeysOf(t, store, sessiontest.Alice); !slices.Equal(got, []string{"k4", "k2", "k1"}) {
		t.Errorf("keys %v", got)
	}
	if _, err := last.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretOne), c.Now); !errors.Is(err, session.ErrOtherSecret) {
		t.Errorf("the old secret alone: %v, want ErrOtherSecret", err)
	}
}

// TestRedisOtherSecret: two replicas that each created their own secret get an error, and the
// first one continues.
func TestRedisOtherSecret(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	one, cfg := openWith(t, c, redis.Config{})
	store := storeOver(t, one, c, sessiontest.SecretOne)
	other, _ := openWith(t, c, cfg)
	_, err := other.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretTwo), c.Now)
	if !errors.Is(err, session.ErrOtherSecret) || !strings.Contains(err.Error(), "secret <new> <old>") || !strings.Contains(err.Error(), cfg.Addresses[0]) {
		t.Fatalf("got %v, want ErrOtherSecret with advice", err)
	}
	sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	cfg.Prefix = "another"
	third, _ := openWith(t, c, cfg)
	if _, err := storeOver(t, third, c, sessiontest.SecretTwo).SessionKeys(t.Context(), sessiontest.Alice); err != nil {
		t.Fatalf("with a separate prefix: %v", err)
	}
}

// TestRedisUnreadableRevocation: a revocation that cannot be read may be that of a stolen token.
// A replica does not start with it, and is not ready.
func TestRedisUnreadableRevocation(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	one, cfg := openWith(t, c, redis.Config{})
	store := storeOver(t, one, c, sessiontest.SecretOne)
	sessiontest.End(t, store, sessiontest.Begin(t, store, sessiontest.Alice, c, "k1").ID)
	stream := "wxgate:" + tagOf(sessiontest.Alice) + ":revoked"
	entries, err := do(t, one.admin, "XRANGE", stream, "-", "+").AsXRange()
	sessiontest.Must(t, err)
	spoilt := []byte(entries[0].FieldValues["b"])
	spoilt[len(spoilt)-1] ^= 1
	do(t, one.admin, "XADD", stream, "*", "b", string(spoilt), "u", "9999999999999", "t", "1", "r", "x")
	eventually(t, "not ready", func() bool { return errors.Is(one.Ready(t.Context()), auth.ErrStoreUnavailable) })
	if err := one.Ready(t.Context()); !errors.Is(err, session.ErrCorrupt) {
		t.Errorf("not ready because of %v, want ErrCorrupt", err)
	}
	other, _ := openWith(t, c, cfg)
	if _, err := other.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretOne), c.Now); !errors.Is(err, session.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
	do(t, one.admin, "DEL", stream)
	eventually(t, "ready again", func() bool { return one.Ready(t.Context()) == nil })
}
