package redis_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
	"github.com/wxgate/wxgate/internal/session/sessiontest/limits"
)

// replica is one of several gateways on one Redis.
type replica struct {
	*clientUnderTest
	store sessiontest.Store
}

// replicas opens one Redis n times, like n processes.
func replicas(t testing.TB, c *sessiontest.Clock, n int, cfg redis.Config) []replica {
	t.Helper()
	all := make([]replica, n)
	for i := range all {
		var r *clientUnderTest
		r, cfg = openWith(t, c, cfg)
		all[i] = replica{r, storeOn(t, r, c)}
	}
	return all
}

// eventually waits for a condition, such as the receipt of another replica's revocation.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	// A Cluster on a busy machine may need several elections, of four seconds each.
	const timeout = 30 * time.Second
	deadline := time.Now().Add(timeout)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", timeout, what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestRevocationReachesEveryReplica: what one replica revokes is refused by the other replicas,
// whether they ran at the time or started later.
func TestRevocationReachesEveryReplica(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	var mu sync.Mutex
	var delays []time.Duration
	cfg := redis.Config{Propagated: func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		delays = append(delays, d)
	}}
	two := replicas(t, c, 2, cfg)
	one, other := two[0], two[1]
	byID, byUser := sessiontest.Begin(t, one.store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, one.store, sessiontest.Bob, c, "k2")
	kept := sessiontest.Begin(t, one.store, sessiontest.OtherAlice, c, "k3")
	lost := sessiontest.NewSession(sessiontest.Alice, c) // which the store never had
	byKey := sessiontest.Bearer(kept)
	byKey.Key = "key9"
	sessiontest.End(t, one.store, byID.ID)
	sessiontest.Must(t, sessiontest.ErrOf(one.store.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))
	sessiontest.Must(t, one.store.RevokeSession(t.Context(), lost.ID, c.Now().Add(sessiontest.Access)))
	sessiontest.Must(t, one.store.RevokeKey(t.Context(), "key9", c.Now().Add(sessiontest.Access)))
	ended := map[string]*auth.Identity{"session": sessiontest.Bearer(byID), "lost session": sessiontest.Bearer(lost), "user": sessiontest.Bearer(byUser), "key": byKey}
	for name, id := range ended {
		if !one.store.Set.Revoked(id) {
			t.Errorf("by %s: not in effect when the call returned", name)
		}
		eventually(t, "revoked by "+name, func() bool { return other.store.Set.Revoked(id) })
	}
	late, _ := openWith(t, c, one.cfg)
	store := storeOn(t, late, c)
	for name, id := range ended {
		if !store.Set.Revoked(id) {
			t.Errorf("by %s: not in effect on a replica that started later", name)
		}
	}
	if store.Set.Revoked(sessiontest.Bearer(kept)) || other.store.Set.Revoked(sessiontest.Bearer(kept)) {
		t.Error("a session that was not ended is revoked")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(delays) != len(ended) {
		t.Errorf("%d revocations of another replica were reported, want %d", len(delays), len(ended))
	}
}

// TestReplicasRace: two replicas that change one session, or one user, at once lose no change.
func TestReplicasRace(t *testing.T) {
	t.Parallel()
	t.Run("updates of one session", func(t *testing.T) {
		t.Parallel()
		c := sessiontest.NewClock()
		two := replicas(t, c, 2, redis.Config{})
		s := sessiontest.Begin(t, two[0].store, sessiontest.Alice, c, "k1")
		sessiontest.Together(sessiontest.AtOnce, func(i int) {
			err := two[i%2].store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
				s.Refresh.Replays++
				return auth.Save, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		got, err := two[1].store.Session(t.Context(), s.ID)
		sessiontest.Must(t, err)
		if got.Refresh.Replays != sessiontest.AtOnce {
			t.Fatalf("%d updates of %d were kept", got.Refresh.Replays, sessiontest.AtOnce)
		}
	})
	t.Run("one refresh token", func(t *testing.T) {
		t.Parallel()
		c := sessiontest.NewClock()
		two := replicas(t, c, 2, redis.Config{})
		services := []*auth.Service{sessiontest.ServiceOver(two[0].store, c.Now, sessiontest.KeyOne), sessiontest.ServiceOver(two[1].store, c.Now, sessiontest.KeyOne)}
		login, err := services[0].Login(t.Context(), "wx1", "alice k1", auth.Client{Device: auth.DeviceOther})
		sessiontest.Must(t, err)
		successors := make([]string, sessiontest.AtOnce)
		sessiontest.Together(sessiontest.AtOnce, func(i int) {
			grant, err := services[i%2].Refresh(t.Context(), login.RefreshToken, sessiontest.AnyApp)
			if err != nil {
				t.Errorf("refresh %d: %v", i, err)
				return
			}
			successors[i] = grant.RefreshToken
		})
		if slices.Sort(successors); successors[0] != successors[sessiontest.AtOnce-1] {
			t.Fatal("one token has two successors")
		}
	})
	t.Run("session limit", func(t *testing.T) {
		t.Parallel()
		c := sessiontest.NewClock()
		two := replicas(t, c, 2, redis.Config{})
		limits.Race(t, c, sessiontest.AtOnce, 2, two[0].store, two[1].store)
	})
	t.Run("end user and create", func(t *testing.T) {
		t.Parallel()
		c := sessiontest.NewClock()
		two := replicas(t, c, 2, redis.Config{})
		sessions := make([]*auth.Session, sessiontest.AtOnce)
		sessiontest.Together(sessiontest.AtOnce, func(i int) {
			if i%10 == 9 {
				sessiontest.Must(t, sessiontest.ErrOf(two[i/10%2].store.EndUser(t.Context(), sessiontest.Alice, c.Now(), time.Time{})))
				return
			}
			c.Advance(time.Millisecond)
			s := sessiontest.NewSession(sessiontest.Alice, c)
			err := sessiontest.ErrOf(two[i%2].store.Create(t.Context(), s, auth.SessionKey{Key: "k1"}, auth.SessionLimit{}))
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
				eventually(t, "stored and not revoked, or ended and revoked", func() bool {
					return (err != nil) == r.store.Set.Revoked(sessiontest.Bearer(s))
				})
			}
		}
	})
}
