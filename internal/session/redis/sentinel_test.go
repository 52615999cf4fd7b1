package redis_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// plainAdmin connects to one server.
func plainAdmin(t testing.TB, addr string) rueidis.Client {
	t.Helper()
	return admin(t, rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true})
}

// startReplica starts a replica of a server and waits until it has all data.
func startReplica(t testing.TB, of *sessiontest.RedisServer, args ...string) *sessiontest.RedisServer {
	t.Helper()
	replica := sessiontest.StartRedis(t, append(args, "--replicaof", "127.0.0.1", sessiontest.PortOf(of.Addr))...)
	awaitReplica(t, replica)
	return replica
}

func awaitReplica(t testing.TB, replica *sessiontest.RedisServer) {
	t.Helper()
	client := plainAdmin(t, replica.Addr)
	eventually(t, "the replica has all data", func() bool {
		info, err := client.Do(t.Context(), client.B().Info().Section("replication").Build()).ToString()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
}

// startSentinel starts one Sentinel over a master.
func startSentinel(t testing.TB, master *sessiontest.RedisServer) *sessiontest.RedisServer {
	t.Helper()
	addr := sessiontest.FreeAddress(t)
	s := &sessiontest.RedisServer{Addr: addr, Dir: t.TempDir(), Args: []string{"sentinel.conf", "--sentinel"}}
	conf := fmt.Sprintf("port %s\nbind 127.0.0.1\n"+
		"sentinel monitor mymaster 127.0.0.1 %s 1\n"+
		"sentinel down-after-milliseconds mymaster 500\n"+
		"sentinel failover-timeout mymaster 3000\n", sessiontest.PortOf(addr), sessiontest.PortOf(master.Addr))
	sessiontest.Must(t, os.WriteFile(filepath.Join(s.Dir, "sentinel.conf"), []byte(conf), 0o600))
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

const fastSync = "--repl-diskless-sync-delay"

// TestRedisSentinel: a master dies and a replica takes over. The gateways continue by themselves
// with everything that was acknowledged.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	master := sessiontest.StartRedis(t, fastSync, "0", "--databases", "64")
	replica := startReplica(t, master, fastSync, "0", "--databases", "64")
	sentinel := startSentinel(t, master)
	client := plainAdmin(t, sentinel.Addr)
	eventually(t, "the Sentinel knows the replica", func() bool {
		all, err := do(t, client, "SENTINEL", "REPLICAS", "mymaster").ToArray()
		return err == nil && len(all) == 1
	})
	cfg := redis.Config{Addresses: []string{sentinel.Addr}, Sentinel: "mymaster", AckTimeout: 2 * time.Second}
	t.Run("before", func(t *testing.T) { // ends when its parallel subtests have ended
		databases := make(chan int, 64)
		for i := range cap(databases) {
			databases <- i
		}
		t.Run("core", func(t *testing.T) {
			sessiontest.Conform(t, func(t testing.TB, c *sessiontest.Clock) sessiontest.Store {
				own := cfg
				own.Database = <-databases
				_, store := openPlainly(t, c, own)
				return store
			}, core...)
		})
	})
	t.Run("unknown master", func(t *testing.T) {
		t.Parallel()
		own := cfg
		own.Sentinel = "unknown"
		wantAdvice(t, "opening", openFully(t, own), "No such master", "check the name")
	})
	t.Run("failover", func(t *testing.T) {
		c := sessiontest.NewClock()
		own := cfg
		own.Database = 63
		one, store := openPlainly(t, c, own)
		other, otherStore := openPlainly(t, c, own)
		kept, ended := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
		sessiontest.End(t, store, ended.ID)
		master.Stop()
		// The failover may happen before the store is found to be down.
		eventually(t, "an acknowledged session is read from the new master", func() bool {
			_, err := otherStore.Session(t.Context(), kept.ID)
			return err == nil && one.Ready(t.Context()) == nil && other.Ready(t.Context()) == nil
		})
		sessiontest.WantNoSession(t, otherStore, "acknowledged to be ended", ended.ID)
		create := func() error {
			return sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Bob, c), auth.SessionKey{Key: "k3"}, auth.SessionLimit{}))
		}
		wantAdvice(t, "a login without a replica of Redis", create(), "0 of 1", "its replicas are down")
		wantAdvice(t, "ready", one.Ready(t.Context()), "0 of 1", "its replicas are down")
		startReplica(t, replica, "--databases", "64")
		eventually(t, "logins work again", func() bool { return create() == nil })
		eventually(t, "ready again", func() bool { return one.Ready(t.Context()) == nil })
	})
}

// TestFailoverLosesNoRevocation: a failover loses writes that the new master had not received.
// The gateways that know the lost revocations notice that, and append them again.
func TestFailoverLosesNoRevocation(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	old := sessiontest.StartRedis(t, fastSync, "0")
	newMaster := startReplica(t, old)
	proxy := newSwitchProxy(t, old.Addr)
	cfg := redis.Config{Addresses: []string{proxy.addr}}
	one, store := openPlainly(t, c, cfg)
	other, otherStore := openPlainly(t, c, cfg)
	kept, before := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
	sessiontest.End(t, store, before.ID)
	lost, byUser := sessiontest.Begin(t, store, sessiontest.Alice, c, "k3"), sessiontest.Begin(t, store, sessiontest.OtherAlice, c, "k4")
	eventually(t, "replicated", func() bool {
		n, err := do(t, plainAdmin(t, newMaster.Addr), "EXISTS", "wxgate:"+tagOf(sessiontest.Alice)+":s:"+string(lost.ID)).AsInt64()
		return err == nil && n == 1
	})
	do(t, plainAdmin(t, newMaster.Addr), "REPLICAOF", "NO", "ONE")
	sessiontest.End(t, store, lost.ID)
	sessiontest.Must(t, sessiontest.ErrOf(store.EndUser(t.Context(), sessiontest.OtherAlice, c.Now(), time.Time{})))
	eventually(t, "received by the other gateway", func() bool {
		return otherStore.Set.Revoked(sessiontest.Bearer(lost)) && otherStore.Set.Revoked(sessiontest.Bearer(byUser))
	})
	sessiontest.Must(t, one.Close()) // it created the revocations, and is closed

	proxy.failOver(newMaster.Addr)
	eventually(t, "noticed", func() bool { return other.Outage() > 0 })
	sessiontest.WantNoSession(t, otherStore, "ended, and restored by the failover", lost.ID)
	eventually(t, "a gateway that starts now knows the revocations", func() bool {
		late, lateStore := openPlainly(t, c, cfg)
		defer func() { sessiontest.Must(t, late.Close()) }()
		return lateStore.Set.Revoked(sessiontest.Bearer(lost)) && lateStore.Set.Revoked(sessiontest.Bearer(byUser)) && lateStore.Set.Revoked(sessiontest.Bearer(before))
	})
	if _, err := otherStore.Session(t.Context(), kept.ID); err != nil || otherStore.Set.Revoked(sessiontest.Bearer(kept)) {
		t.Errorf("a session that was not ended: %v", err)
	}
	_, lateStore := openPlainly(t, c, cfg)
	var early *auth.CreatedTooEarlyError
	if err := sessiontest.ErrOf(lateStore.Create(t.Context(), byUser, auth.SessionKey{}, auth.SessionLimit{})); !errors.As(err, &early) {
		t.Errorf("got %v, want CreatedTooEarlyError", err)
	}
}

// TestIsolatedMasterIsNotHeard: a master that lost its replicas may no longer be the master. If
// Redis is configured to require replicas, a gateway that reaches only this master is not ready.
func TestIsolatedMasterIsNotHeard(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	master := sessiontest.StartRedis(t, fastSync, "0", "--min-replicas-to-write", "1", "--min-replicas-max-lag", "10")
	replica := startReplica(t, master)
	client := plainAdmin(t, master.Addr)
	eventually(t, "the master has its replica", func() bool {
		info, err := do(t, client, "INFO", "replication").ToString()
		return err == nil && strings.Contains(info, "min_slaves_good_slaves:1")
	})
	r, _ := openPlainly(t, c, redis.Config{Addresses: []string{master.Addr}})
	sessiontest.Must(t, r.Ready(t.Context()))
	replica.Stop()
	eventually(t, "noticed", func() bool { return r.Ready(t.Context()) != nil })
	wantAdvice(t, "ready", r.Ready(t.Context()), "NOREPLICAS", "min-replicas-to-write")
	replica.Start(t)
	eventually(t, "ready again", func() bool { return r.Ready(t.Context()) == nil })
}
