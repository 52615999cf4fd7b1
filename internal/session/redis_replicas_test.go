package session_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// replica is one of several gateways on one Redis.
type replica struct {
	*redisUnderTest
	store opened
}

// replicas opens one Redis n times, as so many processes do.
func replicas(t testing.TB, c *clock, n int, cfg session.RedisConfig) []replica {
	t.Helper()
	all := make([]replica, n)
	for i := range all {
		var r *redisUnderTest
		r, cfg = openRedisWith(t, c, cfg)
		all[i] = replica{r, overRedis(t, r, c)}
	}
	return all
}

// eventually waits for what another replica has to hear first.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// What one replica ends is refused by the other, whether it ran at the time or
// started later.
func TestRevocationReachesEveryReplica(t *testing.T) {
	t.Parallel()
	c := newClock()
	var mu sync.Mutex
	var delays []time.Duration
	cfg := session.RedisConfig{Propagated: func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		delays = append(delays, d)
	}}
	two := replicas(t, c, 2, cfg)
	one, other := two[0], two[1]
	byID, byUser := begin(t, one.store, alice, c, "k1"), begin(t, one.store, bob, c, "k2")
	kept := begin(t, one.store, otherAlice, c, "k3")
	lost := sessionOf(alice, c) // which the store never had
	byKey := bearer(kept)
	byKey.Key = "key9"
	end(t, one.store, byID.ID)
	must(t, errOf(one.store.EndUser(t.Context(), bob, c.Now(), time.Time{})))
	must(t, one.store.RevokeSession(t.Context(), lost.ID, c.Now().Add(access)))
	must(t, one.store.RevokeKey(t.Context(), "key9", c.Now().Add(access)))
	ended := map[string]*auth.Identity{"session": bearer(byID), "lost session": bearer(lost), "user": bearer(byUser), "key": byKey}
	for name, id := range ended {
		if !one.store.set.Revoked(id) {
			t.Errorf("by %s: not in force when the call returned", name)
		}
		eventually(t, "revoked by "+name, func() bool { return other.store.set.Revoked(id) })
	}
	late, _ := openRedisWith(t, c, one.cfg)
	store := overRedis(t, late, c)
	for name, id := range ended {
		if !store.set.Revoked(id) {
			t.Errorf("by %s: not in force on a replica that started later", name)
		}
	}
	if store.set.Revoked(bearer(kept)) || other.store.set.Revoked(bearer(kept)) {
		t.Error("what nobody ended is revoked")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(delays) != len(ended) {
		t.Errorf("%d revocations of another replica were reported, want %d", len(delays), len(ended))
	}
}

// Two replicas that change one session, or one user, at once lose nothing.
func TestReplicasRace(t *testing.T) {
	t.Parallel()
	t.Run("updates of one session", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		two := replicas(t, c, 2, session.RedisConfig{})
		s := begin(t, two[0].store, alice, c, "k1")
		together(atOnce, func(i int) {
			err := two[i%2].store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
				s.Refresh.Replays++
				return auth.Save, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		got, err := two[1].store.Session(t.Context(), s.ID)
		must(t, err)
		if got.Refresh.Replays != atOnce {
			t.Fatalf("%d updates of %d are left", got.Refresh.Replays, atOnce)
		}
	})
	t.Run("one refresh token", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		two := replicas(t, c, 2, session.RedisConfig{})
		services := []*auth.Service{serviceOver(two[0].store, c.Now, keyOne), serviceOver(two[1].store, c.Now, keyOne)}
		login, err := services[0].Login(t.Context(), "wx1", "alice k1")
		must(t, err)
		successors := make([]string, atOnce)
		together(atOnce, func(i int) {
			grant, err := services[i%2].Refresh(t.Context(), login.RefreshToken, anyApp)
			if err != nil {
				t.Errorf("refresh %d: %v", i, err)
				return
			}
			successors[i] = grant.RefreshToken
		})
		if slices.Sort(successors); successors[0] != successors[atOnce-1] {
			t.Fatal("one token has two successors")
		}
	})
	t.Run("end user and create", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		two := replicas(t, c, 2, session.RedisConfig{})
		sessions := make([]*auth.Session, atOnce)
		together(atOnce, func(i int) {
			if i%10 == 9 {
				must(t, errOf(two[i/10%2].store.EndUser(t.Context(), alice, c.Now(), time.Time{})))
				return
			}
			c.advance(time.Millisecond)
			s := sessionOf(alice, c)
			err := two[i%2].store.Create(t.Context(), s, auth.SessionKey{Key: "k1"})
			if _, early := errors.AsType[*auth.CreatedTooEarlyError](err); err != nil && !early {
				t.Error(err)
			}
			if err == nil {
				sessions[i] = s
			}
		})
		for _, s := range sessions {
			if s == nil {
				continue
			}
			_, err := two[0].store.Session(t.Context(), s.ID)
			for _, r := range two {
				eventually(t, "there and not revoked, or ended and revoked", func() bool {
					return (err != nil) == r.store.set.Revoked(bearer(s))
				})
			}
		}
	})
}
