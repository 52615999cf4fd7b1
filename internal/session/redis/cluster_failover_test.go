//go:build unix

package redis_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// follow starts a replica of a master of a Cluster and waits until it has all data and may take
// over.
func follow(t testing.TB, nodes []node, of int) *sessiontest.RedisServer {
	t.Helper()
	bus := sessiontest.PortOf(sessiontest.FreeAddress(t))
	replica := sessiontest.StartRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no", "--cluster-port", bus, fastSync, "0")
	client := plainAdmin(t, replica.Addr)
	do(t, client, "CLUSTER", "MEET", "127.0.0.1", sessiontest.PortOf(nodes[of].Addr), nodes[of].bus)
	eventually(t, "the replica knows its master", func() bool {
		return client.Do(t.Context(), client.B().Arbitrary("CLUSTER", "REPLICATE", nodes[of].id).Build()).Error() == nil
	})
	awaitReplica(t, replica)
	id, err := do(t, client, "CLUSTER", "MYID").ToString()
	sessiontest.Must(t, err)
	for _, one := range nodes {
		eventually(t, "the Cluster knows the replica", func() bool {
			all, err := do(t, one.admin, "CLUSTER", "REPLICAS", nodes[of].id).AsStrSlice()
			return err == nil && strings.Contains(strings.Join(all, "\n"), id)
		})
	}
	return replica
}

// inCluster is a Cluster of three masters, some with a replica, two gateways that use it, and
// two users on different masters; at is the index of alice's master.
type inCluster struct {
	nodes      []node
	at         int
	newMaster  *sessiontest.RedisServer // the replica of alice's master
	one, other *redis.Client
	store      sessiontest.Store
	otherStore sessiontest.Store
	bob        auth.User
}

func startInCluster(t testing.TB, c *sessiontest.Clock, acks int) *inCluster {
	t.Helper()
	in := &inCluster{nodes: startCluster(t, 3)}
	for _, one := range in.nodes {
		do(t, one.admin, "CONFIG", "SET", "cluster-node-timeout", "1000", "cluster-require-full-coverage", "no")
	}
	in.at, _ = owner(t, in.nodes, "wxgate:"+tagOf(sessiontest.Alice)+":meta")
	for _, u := range []auth.User{sessiontest.Bob, sessiontest.OtherAlice, {App: "wx1", OpenID: "carol"}, {App: "wx1", OpenID: "dave"}, {App: "wx1", OpenID: "erin"}} {
		if at, _ := owner(t, in.nodes, "wxgate:"+tagOf(u)+":meta"); at != in.at {
			in.bob = u
		}
	}
	if in.bob == (auth.User{}) {
		t.Fatal("all users are with one master")
	}
	for i := range in.nodes {
		if i == in.at {
			in.newMaster = follow(t, in.nodes, i)
		} else if acks > 0 {
			follow(t, in.nodes, i)
		}
	}
	cfg := redis.Config{Addresses: []string{in.nodes[0].Addr, in.nodes[1].Addr, in.nodes[2].Addr}, Cluster: true, Acks: acks}
	in.one, in.store = openPlainly(t, c, cfg)
	in.other, in.otherStore = openPlainly(t, c, cfg)
	return in
}

func (in *inCluster) awaitFailover(t testing.TB) {
	t.Helper()
	eventually(t, "noticed", func() bool { return in.one.Ready(t.Context()) != nil })
	eventually(t, "ready again", func() bool { return in.one.Ready(t.Context()) == nil && in.other.Ready(t.Context()) == nil })
}

// TestClusterFailoverKeepsAcknowledged: a master of a Cluster dies while writes require an
// acknowledgement. No acknowledged write is lost, and users of the other masters are not affected.
// Until the new master has a replica, writes of its users are refused.
func TestClusterFailoverKeepsAcknowledged(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	in := startInCluster(t, c, 1)
	create := func(u auth.User) error {
		return sessiontest.ErrOf(in.store.Create(t.Context(), sessiontest.NewSession(u, c), auth.SessionKey{Key: "k1"}, auth.SessionLimit{}))
	}
	kept, ended, elsewhere := sessiontest.Begin(t, in.store, sessiontest.Alice, c, "k2"), sessiontest.Begin(t, in.store, sessiontest.Alice, c, "k3"), sessiontest.Begin(t, in.store, in.bob, c, "k4")
	sessiontest.End(t, in.store, ended.ID)
	in.nodes[in.at].Stop()
	eventually(t, "noticed", func() bool { return in.one.Ready(t.Context()) != nil })
	if _, err := in.store.Session(t.Context(), elsewhere.ID); err != nil {
		t.Errorf("a user of another master: %v", err)
	}
	if err := create(in.bob); err != nil {
		t.Errorf("a login of a user of another master: %v", err)
	}
	eventually(t, "ready again", func() bool { return in.one.Ready(t.Context()) == nil && in.other.Ready(t.Context()) == nil })
	if _, err := in.otherStore.Session(t.Context(), kept.ID); err != nil {
		t.Errorf("an acknowledged session: %v", err)
	}
	sessiontest.WantNoSession(t, in.otherStore, "acknowledged to be ended", ended.ID)
	wantAdvice(t, "a login without a replica of Redis", create(sessiontest.Alice), "0 of 1", "its replicas are down")
	in.nodes[in.at].Start(t) // it becomes a replica
	eventually(t, "logins work again", func() bool { return create(sessiontest.Alice) == nil })
	eventually(t, "ready again", func() bool { return in.one.Ready(t.Context()) == nil })
}

// TestClusterFailoverLosesNoRevocation: without acknowledgements a failover loses the writes that
// the replica had not received. The gateways append the revocations that they know again.
func TestClusterFailoverLosesNoRevocation(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	in := startInCluster(t, c, 0)
	before, lost := sessiontest.Begin(t, in.store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, in.store, sessiontest.Alice, c, "k2")
	sessiontest.End(t, in.store, before.ID)
	eventually(t, "replicated", func() bool {
		// READONLY makes a replica respond for its master.
		client := plainAdmin(t, in.newMaster.Addr)
		n, err := do(t, client, "DBSIZE").AsInt64()
		masters, err2 := do(t, in.nodes[in.at].admin, "DBSIZE").AsInt64()
		return err == nil && err2 == nil && n == masters
	})
	pid := processID(t, in.newMaster)
	sessiontest.Must(t, syscall.Kill(pid, syscall.SIGSTOP))
	sessiontest.End(t, in.store, lost.ID)
	eventually(t, "received by the other gateway", func() bool { return in.otherStore.Set.Revoked(sessiontest.Bearer(lost)) })
	in.nodes[in.at].Stop()
	sessiontest.Must(t, syscall.Kill(pid, syscall.SIGCONT))
	in.awaitFailover(t)
	for _, store := range []sessiontest.Store{in.store, in.otherStore} {
		if _, err := store.Session(t.Context(), lost.ID); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("ended, and restored by the failover: got %v, want ErrNoSession", err)
		}
	}
	eventually(t, "a gateway that starts now knows the revocations", func() bool {
		late, lateStore := openPlainly(t, c, redis.Config{Addresses: []string{in.newMaster.Addr}, Cluster: true})
		defer func() { sessiontest.Must(t, late.Close()) }()
		return lateStore.Set.Revoked(sessiontest.Bearer(lost)) && lateStore.Set.Revoked(sessiontest.Bearer(before))
	})
}
