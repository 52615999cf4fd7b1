package redis_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// node is one master of a Cluster.
type node struct {
	*sessiontest.RedisServer
	admin rueidis.Client
	id    string
	bus   string // its port for the other nodes
}

// startCluster starts masters that share the slots.
func startCluster(t testing.TB, n int) []node {
	t.Helper()
	const slots = 16384
	nodes := make([]node, n)
	for i := range nodes {
		bus := sessiontest.PortOf(sessiontest.FreeAddress(t))
		s := sessiontest.StartRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", bus, fastSync, "0")
		nodes[i] = node{RedisServer: s, admin: plainAdmin(t, s.Addr), bus: bus}
		do(t, nodes[i].admin, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/n), strconv.Itoa((i+1)*slots/n-1))
		do(t, nodes[i].admin, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		id, err := do(t, nodes[i].admin, "CLUSTER", "MYID").ToString()
		sessiontest.Must(t, err)
		nodes[i].id = id
		if i > 0 {
			do(t, nodes[0].admin, "CLUSTER", "MEET", "127.0.0.1", sessiontest.PortOf(s.Addr), bus)
		}
	}
	for _, one := range nodes {
		eventually(t, "the Cluster is complete", func() bool {
			info, err := do(t, one.admin, "CLUSTER", "INFO").ToString()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", n))
		})
	}
	return nodes
}

// owner returns the master that has a key's slot.
func owner(t testing.TB, nodes []node, key string) (at int, slot int64) {
	t.Helper()
	slot, err := do(t, nodes[0].admin, "CLUSTER", "KEYSLOT", key).AsInt64()
	sessiontest.Must(t, err)
	for i, one := range nodes {
		err := one.admin.Do(t.Context(), one.admin.B().Exists().Key(key).Build()).Error()
		if err == nil {
			return i, slot
		}
	}
	t.Fatalf("no master has slot %d", slot)
	return 0, 0
}

// move moves a slot from one master to another, key by key, as redis-cli does.
func move(t testing.TB, nodes []node, slot int64, from, to int) {
	t.Helper()
	name := strconv.FormatInt(slot, 10)
	do(t, nodes[to].admin, "CLUSTER", "SETSLOT", name, "IMPORTING", nodes[from].id)
	do(t, nodes[from].admin, "CLUSTER", "SETSLOT", name, "MIGRATING", nodes[to].id)
	for {
		keys, err := do(t, nodes[from].admin, "CLUSTER", "GETKEYSINSLOT", name, "1").AsStrSlice()
		sessiontest.Must(t, err)
		if len(keys) == 0 {
			break
		}
		do(t, nodes[from].admin, "MIGRATE", "127.0.0.1", sessiontest.PortOf(nodes[to].Addr), keys[0], "0", "5000")
	}
	for _, i := range []int{to, from} {
		do(t, nodes[i].admin, "CLUSTER", "SETSLOT", name, "NODE", nodes[to].id)
	}
}

// TestRedisCluster: the store works with three masters, and continues to work while a slot with
// live users moves from one master to another.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 3)
	cfg := redis.Config{Addresses: []string{nodes[0].Addr, nodes[1].Addr}, Cluster: true}
	t.Run("core", func(t *testing.T) {
		var prefixes atomic.Int32
		sessiontest.Conform(t, func(t testing.TB, c *sessiontest.Clock) sessiontest.Store {
			own := cfg
			own.Prefix = fmt.Sprintf("core%d", prefixes.Add(1))
			_, store := openPlainly(t, c, own)
			return store
		}, core...)
	})
	t.Run("values, limits, export", func(t *testing.T) {
		t.Parallel()
		c := sessiontest.NewClock()
		own := cfg
		own.Prefix = "all"
		r, store := openPlainly(t, c, own)
		s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
		for _, u := range []auth.User{sessiontest.Bob, sessiontest.OtherAlice} {
			sessiontest.Begin(t, store, u, c, "k2")
		}
		for name, err := range failures(t.Context(), r, store, s, c) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		sessions := map[auth.SessionID]bool{}
		for _, e := range sessiontest.Export(t, store) {
			if e.Session != nil {
				sessions[e.Session.ID] = true
			}
		}
		if len(sessions) < 2 {
			t.Errorf("%d sessions were exported", len(sessions))
		}
		listed := 0
		for q := (auth.Query{Limit: 1}); ; {
			page, err := store.List(t.Context(), q)
			sessiontest.Must(t, err)
			for _, s := range page.Sessions {
				if listed++; !sessions[s.ID] {
					t.Errorf("session %s is listed, but was not exported", s.ID)
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if n, known := r.Counts(t.Context()); !known || n.Sessions != listed || n.Users == 0 {
			t.Errorf("Counts returned %+v, known %v; %d sessions are listed", n, known, listed)
		}
		if listed != len(sessions) {
			t.Errorf("%d sessions are listed, %d were exported", listed, len(sessions))
		}
		sessiontest.Must(t, r.Ready(t.Context()))
	})
	t.Run("single, without option cluster", func(t *testing.T) {
		t.Parallel()
		wantAdvice(t, "opening", openFully(t, redis.Config{Addresses: []string{nodes[0].Addr}, Prefix: "elsewhere"}), "MOVED", "add the option cluster")
	})
	t.Run("a slot moves", func(t *testing.T) {
		t.Parallel()
		c := sessiontest.NewClock()
		own := cfg
		own.Prefix = "moving"
		_, store := openPlainly(t, c, own)
		other, otherStore := openPlainly(t, c, own)
		kept, spent := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, store, sessiontest.Alice, c, "k2")
		at, slot := owner(t, nodes, "moving:"+tagOf(sessiontest.Alice)+":s:"+string(kept.ID))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		var updates, failed atomic.Int32
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				err := store.Update(ctx, spent.ID, func(s *auth.Session) (auth.Verdict, error) {
					s.Refresh.Replays++
					return auth.Save, nil
				})
				switch {
				case err == nil:
					updates.Add(1)
				case ctx.Err() == nil:
					failed.Add(1)
				}
			}
		}()
		for range 3 {
			before := updates.Load()
			move(t, nodes, slot, at, (at+1)%len(nodes))
			at = (at + 1) % len(nodes)
			eventually(t, "updates continue", func() bool { return updates.Load() > before+10 })
		}
		stop()
		<-done
		got, err := otherStore.Session(t.Context(), spent.ID)
		sessiontest.Must(t, err)
		if n := int(updates.Load()); got.Refresh.Replays != n && got.Refresh.Replays != n+1 {
			t.Errorf("%d updates of %d were kept", got.Refresh.Replays, n)
		}
		t.Logf("%d updates, %d failed", updates.Load(), failed.Load())
		sessiontest.End(t, store, kept.ID)
		eventually(t, "received", func() bool { return otherStore.Set.Revoked(sessiontest.Bearer(kept)) })
		eventually(t, "ready", func() bool { return other.Ready(t.Context()) == nil })
	})
}
