//go:build unix

package session_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// follow starts a replica of a master of a Cluster and waits until it has all and
// may take over.
func follow(t testing.TB, nodes []node, of int) *server {
	t.Helper()
	bus := portOf(freeAddress(t))
	replica := startServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no", "--cluster-port", bus, fastSync, "0")
	client := plainAdmin(t, replica.addr)
	do(t, client, "CLUSTER", "MEET", "127.0.0.1", portOf(nodes[of].addr), nodes[of].bus)
	eventually(t, "the replica knows its master", func() bool {
		return client.Do(t.Context(), client.B().Arbitrary("CLUSTER", "REPLICATE", nodes[of].id).Build()).Error() == nil
	})
	awaitReplica(t, replica)
	id, err := do(t, client, "CLUSTER", "MYID").ToString()
	must(t, err)
	for _, one := range nodes {
		eventually(t, "the Cluster knows the replica", func() bool {
			all, err := do(t, one.admin, "CLUSTER", "REPLICAS", nodes[of].id).AsStrSlice()
			return err == nil && strings.Contains(strings.Join(all, "\n"), id)
		})
	}
	return replica
}

// inCluster is a Cluster of three masters, some with a replica, a gateway on it
// twice, and two users who are with different masters; at is alice's.
type inCluster struct {
	nodes      []node
	at         int
	young      *server // the replica of alice's master
	one, other *session.Redis
	store      opened
	otherStore opened
	bob        auth.User
}

func startInCluster(t testing.TB, c *clock, acks int) *inCluster {
	t.Helper()
	in := &inCluster{nodes: startCluster(t, 3)}
	for _, one := range in.nodes {
		do(t, one.admin, "CONFIG", "SET", "cluster-node-timeout", "1000", "cluster-require-full-coverage", "no")
	}
	in.at, _ = owner(t, in.nodes, "wxgate:"+tagOf(alice)+":meta")
	for _, u := range []auth.User{bob, otherAlice, {App: "wx1", OpenID: "carol"}, {App: "wx1", OpenID: "dave"}, {App: "wx1", OpenID: "erin"}} {
		if at, _ := owner(t, in.nodes, "wxgate:"+tagOf(u)+":meta"); at != in.at {
			in.bob = u
		}
	}
	if in.bob == (auth.User{}) {
		t.Fatal("all users are with one master")
	}
	for i := range in.nodes {
		if i == in.at {
			in.young = follow(t, in.nodes, i)
		} else if acks > 0 {
			follow(t, in.nodes, i)
		}
	}
	cfg := session.RedisConfig{Addresses: []string{in.nodes[0].addr, in.nodes[1].addr, in.nodes[2].addr}, Cluster: true, Acks: acks}
	in.one, in.store = openPlainly(t, c, cfg)
	in.other, in.otherStore = openPlainly(t, c, cfg)
	return in
}

func (in *inCluster) awaitFailover(t testing.TB) {
	t.Helper()
	eventually(t, "noticed", func() bool { return in.one.Ready(t.Context()) != nil })
	eventually(t, "ready again", func() bool { return in.one.Ready(t.Context()) == nil && in.other.Ready(t.Context()) == nil })
}

// A master of a Cluster that dies, where writes want an acknowledgement: nothing
// that was answered is lost, and the users of the other masters notice nothing.
// Until the new master has a replica, its users' writes are refused.
func TestClusterFailoverKeepsAcknowledged(t *testing.T) {
	t.Parallel()
	c := newClock()
	in := startInCluster(t, c, 1)
	create := func(u auth.User) error {
		return in.store.Create(t.Context(), sessionOf(u, c), auth.SessionKey{Key: "k1"})
	}
	kept, ended, elsewhere := begin(t, in.store, alice, c, "k2"), begin(t, in.store, alice, c, "k3"), begin(t, in.store, in.bob, c, "k4")
	end(t, in.store, ended.ID)
	in.nodes[in.at].stop()
	eventually(t, "noticed", func() bool { return in.one.Ready(t.Context()) != nil })
	if _, err := in.store.Session(t.Context(), elsewhere.ID); err != nil {
		t.Errorf("a user of another master: %v", err)
	}
	if err := create(in.bob); err != nil {
		t.Errorf("a login of a user of another master: %v", err)
	}
	eventually(t, "ready again", func() bool { return in.one.Ready(t.Context()) == nil && in.other.Ready(t.Context()) == nil })
	if _, err := in.otherStore.Session(t.Context(), kept.ID); err != nil {
		t.Errorf("a session that was acknowledged: %v", err)
	}
	wantNoSession(t, in.otherStore, "acknowledged to be ended", ended.ID)
	wantAdvice(t, "a login that no replica of Redis holds", create(alice), "0 of 1", "its replicas are away")
	in.nodes[in.at].start(t) // which finds out that it is a replica now
	eventually(t, "logins work again", func() bool { return create(alice) == nil })
	eventually(t, "ready again", func() bool { return in.one.Ready(t.Context()) == nil })
}

// Without acknowledgements a failover loses what the replica had not yet. The
// gateways put back the revocations that they know.
func TestClusterFailoverLosesNoRevocation(t *testing.T) {
	t.Parallel()
	c := newClock()
	in := startInCluster(t, c, 0)
	before, lost := begin(t, in.store, alice, c, "k1"), begin(t, in.store, alice, c, "k2")
	end(t, in.store, before.ID)
	eventually(t, "replicated", func() bool {
		// A replica answers for its master to whoever says READONLY.
		client := plainAdmin(t, in.young.addr)
		n, err := do(t, client, "DBSIZE").AsInt64()
		masters, err2 := do(t, in.nodes[in.at].admin, "DBSIZE").AsInt64()
		return err == nil && err2 == nil && n == masters
	})
	pid := in.young.pid(t)
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	end(t, in.store, lost.ID)
	eventually(t, "heard by the other", func() bool { return in.otherStore.set.Revoked(bearer(lost)) })
	in.nodes[in.at].stop()
	must(t, syscall.Kill(pid, syscall.SIGCONT))
	in.awaitFailover(t)
	for _, store := range []opened{in.store, in.otherStore} {
		if _, err := store.Session(t.Context(), lost.ID); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("ended, and back by the failover: got %v, want ErrNoSession", err)
		}
	}
	eventually(t, "a gateway that starts now knows", func() bool {
		late, lateStore := openPlainly(t, c, session.RedisConfig{Addresses: []string{in.young.addr}, Cluster: true})
		defer func() { must(t, late.Close()) }()
		return lateStore.set.Revoked(bearer(lost)) && lateStore.set.Revoked(bearer(before))
	})
}
