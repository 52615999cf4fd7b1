package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redisServer is a real redis-server, started again and again on the same files. Each write is
// on the disk before its reply, so that confirmed requests are not lost.
type redisServer struct {
	t    *testing.T
	dir  string
	addr string
	args []string

	process *exec.Cmd
	exited  chan struct{}
}

const (
	// upWithin is how long Redis may take to read its append-only file and reply, and
	// Sentinels or a Cluster to agree, on a busy machine.
	upWithin = 30 * time.Second
	// masterName is the Sentinels' name of the master.
	masterName = "wxgate"
)

// needRedis skips a test if Redis is not installed. CI installs it, and fails if a test is
// skipped.
func needRedis(t *testing.T) {
	t.Helper()
	for _, command := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("no %s: install Debian's redis-server", command)
		}
	}
}

// newRedis starts a Redis, and stops it when the test ends.
func newRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	r := &redisServer{t: t, dir: tempDir(t), addr: freeAddr(t)}
	r.args = append([]string{
		"--dir", r.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
		"--loglevel", "notice", "--logfile", filepath.Join(r.dir, "log"),
	}, args...)
	r.start()
	return r
}

func (r *redisServer) port() string { return r.addr[strings.LastIndex(r.addr, ":")+1:] }

// start starts Redis on its files, and waits until it replies.
func (r *redisServer) start() {
	r.t.Helper()
	r.process = exec.Command("redis-server", append([]string{"--bind", "127.0.0.1", "--port", r.port()}, r.args...)...)
	r.run()
	r.await("PONG", "ping")
}

func (r *redisServer) run() {
	r.t.Helper()
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.exited = make(chan struct{})
	go func(process *exec.Cmd, exited chan<- struct{}) {
		defer close(exited)
		_ = process.Wait() // it is always killed
	}(r.process, r.exited)
	r.t.Cleanup(r.kill)
}

// kill kills Redis with SIGKILL.
func (r *redisServer) kill() {
	if r.process == nil {
		return
	}
	_ = r.process.Process.Kill()
	<-r.exited
	r.process = nil
}

// signal stops Redis (SIGSTOP) and continues it (SIGCONT).
func (r *redisServer) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.process.Process.Signal(s); err != nil {
		r.t.Error(err)
	}
}

// ask runs redis-cli and returns its output, which may be an error.
func (r *redisServer) ask(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), upWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-h", "127.0.0.1", "-p", r.port()}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s (%v)", out, err)
	}
	return strings.TrimSpace(string(out))
}

// must runs a command whose reply must be OK.
func (r *redisServer) must(args ...string) {
	r.t.Helper()
	if out := r.ask(args...); out != "OK" {
		r.t.Fatalf("redis-cli %s: %s", strings.Join(args, " "), out)
	}
}

// await repeats a command until the reply contains text.
func (r *redisServer) await(text string, args ...string) {
	r.t.Helper()
	var out string
	for deadline := time.Now().Add(upWithin); time.Now().Before(deadline); <-time.After(pollEvery) {
		if out = r.ask(args...); strings.Contains(out, text) {
			return
		}
	}
	log, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	r.t.Fatalf("redis-cli %s printed %q, want %q; the log of Redis is\n%s", strings.Join(args, " "), out, text, log)
}

// redisPair is a master with a replica, and three Sentinels that watch them.
type redisPair struct {
	t         *testing.T
	nodes     [2]*redisServer
	sentinels [3]*redisServer
}

// newRedisPair starts them. Two of three Sentinels fail over if the master does not reply for
// three seconds. One second would cause failovers on a busy machine.
func newRedisPair(t *testing.T) *redisPair {
	t.Helper()
	p := &redisPair{t: t}
	p.nodes[0] = newRedis(t)
	p.nodes[1] = newRedis(t, "--replicaof", "127.0.0.1 "+p.nodes[0].port())
	p.nodes[1].await("master_link_status:up", "info", "replication")
	for i := range p.sentinels {
		p.sentinels[i] = newSentinel(t, p.nodes[0])
	}
	for _, s := range p.sentinels {
		s.await("num-other-sentinels\n2", "sentinel", "master", masterName)
		s.await("num-slaves\n1", "sentinel", "master", masterName)
	}
	return p
}

// newSentinel starts a Sentinel: the same binary, with a configuration file that it rewrites.
func newSentinel(t *testing.T, master *redisServer) *redisServer {
	t.Helper()
	r := &redisServer{t: t, dir: tempDir(t), addr: freeAddr(t)}
	config := filepath.Join(r.dir, "sentinel.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nlogfile %s/log\n"+
		"sentinel monitor %[4]s 127.0.0.1 %[5]s 2\nsentinel down-after-milliseconds %[4]s 3000\nsentinel failover-timeout %[4]s 5000\n",
		r.port(), r.dir, r.dir, masterName, master.port())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.process = exec.Command("redis-server", config, "--sentinel")
	r.run()
	r.await("PONG", "ping")
	return r
}

// master returns the master and the replica, by the roles that the nodes report.
func (p *redisPair) master() (master, replica *redisServer) {
	if strings.Contains(p.nodes[0].ask("role"), "master") {
		return p.nodes[0], p.nodes[1]
	}
	return p.nodes[1], p.nodes[0]
}

// awaitPair waits until one node replicates the other. On a busy machine, the Sentinels may have
// failed over again meanwhile.
func (p *redisPair) awaitPair() {
	p.t.Helper()
	var state string
	for deadline := time.Now().Add(upWithin); time.Now().Before(deadline); <-time.After(pollEvery) {
		master, replica := p.master()
		state = replica.ask("info", "replication")
		if strings.Contains(master.ask("role"), "master") && strings.Contains(state, "master_port:"+master.port()) && strings.Contains(state, "master_link_status:up") {
			return
		}
	}
	p.t.Fatalf("no node replicates a master: %q", state)
}

// redisCluster is three masters, each with a third of the slots.
type redisCluster struct {
	t     *testing.T
	nodes [3]*redisServer
}

// clusterTags are the hash tags of wxgate's keys. The keys of a user have the same hash tag, and
// therefore the same slot.
const clusterTags = "0123456789abcdef"

func newRedisCluster(t *testing.T) *redisCluster {
	t.Helper()
	c := &redisCluster{t: t}
	var addrs []string
	for i := range c.nodes {
		bus := freeAddr(t) // the default port may be in use
		c.nodes[i] = newRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus[strings.LastIndex(bus, ":")+1:])
		addrs = append(addrs, c.nodes[i].addr)
	}
	out := c.nodes[0].ask(append(append([]string{"--cluster", "create"}, addrs...), "--cluster-replicas", "0", "--cluster-yes")...)
	if !strings.Contains(out, "All 16384 slots covered") {
		t.Fatalf("creating the cluster: %s", out)
	}
	for _, node := range c.nodes {
		node.await("cluster_state:ok", "cluster", "info")
	}
	return c
}

// owner returns the index of the node that has the slot of a hash tag.
func (c *redisCluster) owner(tag string) int {
	c.t.Helper()
	for i, node := range c.nodes {
		if node.ask("exists", tag) == "0" {
			return i
		}
	}
	c.t.Fatalf("no node has the slot of %s", tag)
	return 0
}

// move moves the slot of a hash tag to the next master, key by key, as redis-cli --cluster
// reshard does.
func (c *redisCluster) move(tag string) (keys int) {
	c.t.Helper()
	from := c.owner(tag)
	source, target := c.nodes[from], c.nodes[(from+1)%len(c.nodes)]
	slot, sourceID, targetID := source.ask("cluster", "keyslot", tag), source.ask("cluster", "myid"), target.ask("cluster", "myid")
	target.must("cluster", "setslot", slot, "importing", sourceID)
	source.must("cluster", "setslot", slot, "migrating", targetID)
	const atOnce = "20"
	for {
		batch := strings.Fields(source.ask("cluster", "getkeysinslot", slot, atOnce))
		if len(batch) == 0 {
			break
		}
		keys += len(batch)
		out := source.ask(append([]string{"migrate", "127.0.0.1", target.port(), "", "0", "5000", "keys"}, batch...)...)
		if out != "OK" && out != "NOKEY" { // NOKEY: expired or deleted meanwhile
			c.t.Fatalf("migrating %d keys of slot %s: %s", len(batch), slot, out)
		}
	}
	target.must("cluster", "setslot", slot, "node", targetID)
	for _, node := range c.nodes {
		node.must("cluster", "setslot", slot, "node", targetID)
	}
	return keys
}
