package redis_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestRedisOutage: while Redis is down, every operation fails at once. When Redis is back, the
// store recovers by itself, and appends the revocations that this replica knows to the streams
// again, although Redis lost everything.
func TestRedisOutage(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(t)
	two := replicas(t, c, 2, redis.Config{Addresses: []string{server.Addr}})
	one, other := two[0], two[1]
	s, ended, byUser := sessiontest.Begin(t, one.store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, one.store, sessiontest.Alice, c, "k2"), sessiontest.Begin(t, other.store, sessiontest.Bob, c, "k3")
	sessiontest.End(t, one.store, ended.ID)
	sessiontest.Must(t, sessiontest.ErrOf(other.store.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))
	sessiontest.Must(t, one.Ready(t.Context()))
	eventually(t, "each replica knows the other's revocation", func() bool {
		return one.store.Set.Revoked(sessiontest.Bearer(byUser)) && other.store.Set.Revoked(sessiontest.Bearer(ended))
	})

	if took := one.Outage(); took != 0 {
		t.Errorf("an outage of %v before the first", took)
	}
	cut := time.Now()
	server.Stop()
	eventually(t, "noticed", func() bool { return one.Ready(t.Context()) != nil })
	began := time.Now()
	for name, err := range failures(t.Context(), one.Client, one.store, s, c) {
		if !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: got %v, want ErrStoreUnavailable", name, err)
		}
	}
	if n, known := one.Counts(t.Context()); known {
		t.Errorf("Counts returned %+v without Redis", n)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the failures took %v", took)
	}
	if !one.store.Set.Revoked(sessiontest.Bearer(ended)) {
		t.Error("the revocation was forgotten without Redis")
	}
	if one.Stale() <= 0 {
		t.Errorf("stale for %v", one.Stale())
	}

	server.Start(t)
	eventually(t, "ready again", func() bool { return one.Ready(t.Context()) == nil && other.Ready(t.Context()) == nil })
	if outage, most := one.Outage(), time.Since(cut)+time.Second; outage <= 0 || outage > most {
		t.Errorf("got an outage of %v, want at most %v", outage, most)
	}
	sessiontest.Begin(t, one.store, sessiontest.Alice, c, "k4")
	if n, known := other.Counts(t.Context()); !known || n != (session.Counts{Sessions: 1, Users: 1}) {
		t.Errorf("Counts returned %+v, known %v, with Redis back", n, known)
	}
	late, _ := openWith(t, c, one.cfg)
	store := storeOn(t, late, c)
	for name, id := range map[string]*auth.Identity{"session": sessiontest.Bearer(ended), "user": sessiontest.Bearer(byUser)} {
		eventually(t, "a replica that started later knows the revocation of the "+name, func() bool { return store.Set.Revoked(id) })
	}
	var early *auth.CreatedTooEarlyError
	if err := sessiontest.ErrOf(store.Create(t.Context(), byUser, auth.SessionKey{}, auth.SessionLimit{})); !errors.As(err, &early) {
		t.Errorf("got %v, want CreatedTooEarlyError", err)
	}
}

// TestDemotedMasterIsLeft: two servers behind one name change roles, and no connection is
// closed. The gateway leaves the server that is now a replica, and finds the other.
func TestDemotedMasterIsLeft(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	old := sessiontest.StartRedis(t, fastSync, "0")
	newMaster := startReplica(t, old, fastSync, "0")
	proxy := newSwitchProxy(t, old.Addr)
	r, store := openPlainly(t, c, redis.Config{Addresses: []string{proxy.addr}})
	s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	eventually(t, "replicated", func() bool {
		n, err := do(t, plainAdmin(t, newMaster.Addr), "EXISTS", "wxgate:"+tagOf(sessiontest.Alice)+":s:"+string(s.ID)).AsInt64()
		return err == nil && n == 1
	})
	proxy.redirect(newMaster.Addr)
	do(t, plainAdmin(t, newMaster.Addr), "REPLICAOF", "NO", "ONE")
	do(t, plainAdmin(t, old.Addr), "REPLICAOF", "127.0.0.1", sessiontest.PortOf(newMaster.Addr))
	eventually(t, "logins work on the other server", func() bool {
		return sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Alice, c), auth.SessionKey{Key: "k2"}, auth.SessionLimit{})) == nil
	})
	eventually(t, "ready", func() bool { return r.Ready(t.Context()) == nil })
	if _, err := store.Session(t.Context(), s.ID); err != nil {
		t.Errorf("an earlier session: %v", err)
	}
}

// TestRevokedSessionStaysOver: a failover restores a session that ended just before, because the
// write had not reached the new master. A replica that knows of the end refuses the session.
func TestRevokedSessionStaysOver(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	one := replicas(t, c, 1, redis.Config{})[0]
	byID, byUser, kept := sessiontest.Begin(t, one.store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, one.store, sessiontest.Bob, c, "k2"), sessiontest.Begin(t, one.store, sessiontest.Alice, c, "k3")
	one.Revocations().Add(auth.Revocation{Session: byID.ID, Until: c.Now().Add(sessiontest.Access)})
	one.Revocations().Add(auth.Revocation{User: sessiontest.Bob, NotAfter: byUser.ID.Began(), Until: c.Now().Add(sessiontest.Access)})
	for name, id := range map[string]auth.SessionID{"session": byID.ID, "user": byUser.ID} {
		if _, err := one.store.Session(t.Context(), id); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("by %s: Session: got %v, want ErrNoSession", name, err)
		}
		err := one.store.Update(t.Context(), id, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil })
		if !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("by %s: Update: got %v, want ErrNoSession", name, err)
		}
	}
	if _, err := one.store.Session(t.Context(), kept.ID); err != nil {
		t.Errorf("a session that was not ended: %v", err)
	}
}

// TestMissingAcksAreWaitedForOnce: a master without replicas accepts each write, waits for
// acknowledgements in vain, and the write fails. Writes that wait for their turn do not wait
// as long again.
func TestMissingAcksAreWaitedForOnce(t *testing.T) {
	t.Parallel()
	const writers, ackTimeout = 10, 300 * time.Millisecond
	c := sessiontest.NewClock()
	alone := replicas(t, c, 1, redis.Config{Addresses: []string{sessiontest.StartRedis(t).Addr}})[0]
	s := sessiontest.Begin(t, alone.store, sessiontest.Alice, c, "k1")
	strict := alone.cfg
	strict.Acks, strict.AckTimeout = 1, ackTimeout
	r, _ := openWith(t, c, strict)
	store := storeOn(t, r, c)
	began := time.Now()
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			err := store.Update(t.Context(), s.ID, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil })
			if !errors.Is(err, auth.ErrStoreUnavailable) {
				t.Errorf("got %v, want ErrStoreUnavailable", err)
			}
		})
	}
	group.Wait()
	if took := time.Since(began); took > writers*ackTimeout/2 {
		t.Errorf("%d writers took %v, each of them may wait for %v", writers, took, ackTimeout)
	}

	attempts := 0
	err := store.Update(t.Context(), s.ID, func(*auth.Session) (auth.Verdict, error) {
		attempts++ // as if another replica's write came between
		sessiontest.Must(t, alone.store.Update(t.Context(), s.ID, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }))
		return auth.Save, nil
	})
	if !errors.Is(err, auth.ErrStoreUnavailable) || attempts > 1 {
		t.Errorf("got %v after %d attempts, want ErrStoreUnavailable after one", err, attempts)
	}
}

// failures returns the error of every operation.
func failures(ctx context.Context, r *redis.Client, store auth.Store, s *auth.Session, c *sessiontest.Clock) map[string]error {
	_, sessionErr := store.Session(ctx, s.ID)
	_, keysErr := store.SessionKeys(ctx, s.User)
	_, loadErr := r.Value("keys").Load(ctx)
	_, _, leaseErr := r.Value("keys").Lease(ctx, time.Second)
	_, takeErr := r.Take(ctx, "login", []byte("x"), 1, time.Second)
	return map[string]error{
		"Create": sessiontest.ErrOf(store.Create(ctx, sessiontest.NewSession(s.User, c), auth.SessionKey{}, auth.SessionLimit{})), "Session": sessionErr,
		"Update":  store.Update(ctx, s.ID, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }),
		"EndUser": sessiontest.ErrOf(store.EndUser(ctx, s.User, c.Now(), time.Time{})), "SessionKeys": keysErr,
		"PutSessionKey":  store.PutSessionKey(ctx, s.User, auth.SessionKey{Key: "k"}),
		"DropSessionKey": store.DropSessionKey(ctx, s.User, auth.SessionKey{Key: "k"}),
		"RevokeSession":  store.RevokeSession(ctx, s.ID, c.Now().Add(sessiontest.Access)),
		"RevokeKey":      store.RevokeKey(ctx, "key1", c.Now().Add(sessiontest.Access)),
		"Load":           loadErr, "Lease": leaseErr, "Take": takeErr,
		"Put":          r.Value("keys").Put(ctx, []byte("x"), time.Second),
		"Update value": r.Value("keys").Update(ctx, func([]byte) ([]byte, error) { return []byte("x"), nil }),
	}
}

// TestRedisFlushed: FLUSHALL closes no connection. The replicas notice it nevertheless, create
// the store again with their key, and append the revocations that they know.
func TestRedisFlushed(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(t)
	two := replicas(t, c, 2, redis.Config{Addresses: []string{server.Addr}})
	one, other := two[0], two[1]
	ended := sessiontest.Begin(t, one.store, sessiontest.Alice, c, "k1")
	sessiontest.End(t, one.store, ended.ID)
	do(t, one.admin, "FLUSHALL")
	s := sessiontest.Begin(t, one.store, sessiontest.Bob, c, "k2") // before any replica notices
	late := func() sessiontest.Store {
		r, _ := openWith(t, c, one.cfg)
		return storeOn(t, r, c)
	}
	first := late()
	for _, store := range []sessiontest.Store{one.store, other.store, first} {
		eventually(t, "in effect everywhere again", func() bool { return store.Set.Revoked(sessiontest.Bearer(ended)) })
	}
	eventually(t, "in the stream again", func() bool {
		n, err := do(t, one.admin, "XLEN", "wxgate:"+tagOf(sessiontest.Alice)+":revoked").AsInt64()
		return err == nil && n > 0
	})
	if !late().Set.Revoked(sessiontest.Bearer(ended)) {
		t.Error("lost by the flush")
	}
	// A session that was written meanwhile can be read, or its client logs in again; no
	// client gets an error.
	for _, store := range []sessiontest.Store{one.store, other.store, first} {
		if _, err := store.Session(t.Context(), s.ID); err != nil && !errors.Is(err, auth.ErrNoSession) {
			t.Error(err)
		}
		eventually(t, "logins work", func() bool {
			return sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Bob, c), auth.SessionKey{Key: "k3"}, auth.SessionLimit{})) == nil
		})
	}
}

// TestRedisForgetsScripts: SCRIPT FLUSH, a restart and a failover make Redis forget the scripts.
func TestRedisForgetsScripts(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(t)
	r, _ := openWith(t, c, redis.Config{Addresses: []string{server.Addr}})
	store := storeOn(t, r, c)
	s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	do(t, r.admin, "SCRIPT", "FLUSH")
	for name, err := range failures(t.Context(), r.Client, store, s, c) {
		if err != nil && !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
		do(t, r.admin, "SCRIPT", "FLUSH")
	}
}

// TestRedisClosed: after Close, every call returns ErrStoreUnavailable, and none blocks.
func TestRedisClosed(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	r, _ := openWith(t, c, redis.Config{})
	store := storeOn(t, r, c)
	s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	sessiontest.Must(t, r.Close())
	sessiontest.Must(t, r.Close())
	_, storeErr := r.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	errs := failures(t.Context(), r.Client, store, s, c)
	errs["Ready"], errs["Store"] = r.Ready(t.Context()), storeErr
	for name, err := range errs {
		if !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("%s: got %v, want ErrStoreUnavailable", name, err)
		}
	}
}
