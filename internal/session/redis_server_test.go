package session_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// server is a redis-server of the tests. It dies with the test process, however
// that ends: its keeper waits for the end of its standard input.
type server struct {
	addr  string
	dir   string
	args  []string // of redis-server
	keep  *exec.Cmd
	leash io.Closer
}

// startServer starts one on a free port of loopback, with more arguments.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	addr := freeAddress(t)
	return startProcess(t, addr, slices.Concat(serverArgs(addr), args)...)
}

// serverArgs are for a plain server that keeps nothing on the disk.
func serverArgs(addr string) []string {
	return []string{"--port", portOf(addr), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}
}

func startProcess(t testing.TB, addr string, args ...string) *server {
	t.Helper()
	s := &server{addr: addr, dir: t.TempDir(), args: args}
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func (s *server) start(t testing.TB) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed: Debian's package redis-server has it")
	}
	const keeper = `"$@" >>log 2>&1 & pid=$!; cat >/dev/null; kill -9 $pid; wait $pid`
	args := append([]string{"-c", keeper, "keeper", binary}, s.args...)
	s.keep = exec.CommandContext(context.Background(), "sh", args...)
	s.keep.Dir = s.dir
	s.leash, err = s.keep.StdinPipe()
	must(t, err)
	must(t, s.keep.Start())
	s.await(t)
}

// await returns once the server answers, if only that it wants a password.
func (s *server) await(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err == nil {
			must(t, conn.Close())
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("redis-server does not listen: %v\n%s", err, log)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// stop kills it, as a crash does.
func (s *server) stop() {
	if s.keep == nil {
		return
	}
	_ = s.leash.Close()
	_ = s.keep.Wait()
	s.keep = nil
}

// shared is the server of all tests that do no harm to it: each has a database.
var (
	sharedServer *server
	sharedNext   int
	sharedMu     sync.Mutex
)

const sharedDatabases = 2048

func shared(t testing.TB) (addr string, database int) {
	t.Helper()
	sharedMu.Lock()
	defer sharedMu.Unlock()
	if sharedServer == nil {
		dir, err := os.MkdirTemp("", "wxgate-redis-") //nolint:usetesting // it outlives this test
		must(t, err)
		addr := freeAddress(t)
		sharedServer = &server{addr: addr, dir: dir, args: append(serverArgs(addr), "--databases", strconv.Itoa(sharedDatabases))}
		sharedServer.start(t)
	}
	sharedNext++
	return sharedServer.addr, sharedNext % sharedDatabases
}

// admin is a plain connection of the tests, which sees all of a database.
func admin(t testing.TB, option rueidis.ClientOption) rueidis.Client {
	t.Helper()
	option.DisableCache = true
	option.DisableRetry = true
	client, err := rueidis.NewClient(option)
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

func do(t testing.TB, client rueidis.Client, args ...string) rueidis.RedisResult {
	t.Helper()
	res := client.Do(context.Background(), client.B().Arbitrary(args...).Build())
	if err := res.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return res
}

// age has Redis's deadlines come nearer, as the clock of the test moves, and says
// how many sessions ended by it. What is kept beyond its end has gone too when
// less than slack is left.
const age = `
local over = 0
for _, k in ipairs(redis.call('KEYS', '*')) do
	local left = redis.call('PTTL', k) - ARGV[1]
	if left >= -ARGV[1] then
		if left > tonumber(ARGV[2]) then
			redis.call('PEXPIRE', k, left)
		else
			redis.call('DEL', k)
			if string.find(k, ':s:', 1, true) then over = over + 1 end
		end
	end
end
return over`

// redisUnderTest is Redis as a test sees it from outside.
type redisUnderTest struct {
	testing.TB
	*session.Redis
	cfg   session.RedisConfig
	admin rueidis.Client
	c     *clock
}

func (r *redisUnderTest) age(d, slack time.Duration) int {
	r.Helper()
	n, err := do(r, r.admin, "EVAL", age, "0", fmt.Sprint(d.Milliseconds()), fmt.Sprint(slack.Milliseconds())).AsInt64()
	must(r, err)
	return int(n)
}

func (r *redisUnderTest) keys(kind string) []string {
	r.Helper()
	keys, err := do(r, r.admin, "KEYS", "*:"+kind+":*").AsStrSlice()
	must(r, err)
	return keys
}

// tagOf is the hash tag of a user's keys.
func tagOf(u auth.User) string { return fmt.Sprintf("{%x}", u.Shard()%16) }

// sweep does what Redis does by itself when time passes.
func (r *redisUnderTest) sweep(ctx context.Context, now time.Time, _ int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
	}
	return r.age(0, session.ExpirySlack) + r.Revocations().Sweep(now), nil
}

// stats counts what the users' indexes say is not over, and looks whether the
// records are there.
func (r *redisUnderTest) stats() session.Stats {
	r.Helper()
	stats := r.Stats()
	records := map[string]string{} // session ID -> key
	for _, key := range r.keys("s") {
		records[key[strings.LastIndexByte(key, ':')+1:]] = key
	}
	indexed := map[string]bool{}
	for _, key := range r.keys("u") {
		index, err := do(r, r.admin, "HGETALL", key).AsStrMap()
		must(r, err)
		live := 0
		for id, line := range index {
			indexed[id] = true
			var end, accessEnd int64
			if n, _ := fmt.Sscanf(line, "%d:%d", &end, &accessEnd); n == 2 && end > r.c.Now().UnixMilli() {
				live++
				if records[id] == "" {
					r.Errorf("the index has %s, which has no record", id)
				}
			}
		}
		stats.Sessions += live
		stats.Users += min(live, 1)
	}
	for id, key := range records {
		if indexed[id] {
			continue
		}
		left, err := do(r, r.admin, "PTTL", key).AsInt64()
		must(r, err)
		if left > session.ExpirySlack.Milliseconds() {
			r.Errorf("no index has %s, which is not over", id)
		}
	}
	return stats
}

// openRedis opens a database of its own of the shared server. Its deadlines
// follow the test's clock.
func openRedis(t testing.TB, c *clock) opened {
	t.Helper()
	r, _ := openRedisWith(t, c, session.RedisConfig{})
	c.moved = func(d time.Duration) { r.age(d, 0) }
	return overRedis(t, r, c)
}

func openRedisWith(t testing.TB, c *clock, cfg session.RedisConfig) (*redisUnderTest, session.RedisConfig) {
	t.Helper()
	if len(cfg.Addresses) == 0 {
		addr, database := shared(t)
		cfg.Addresses, cfg.Database = []string{addr}, database
	}
	r, err := session.OpenRedis(t.Context(), cfg, session.Options{Now: c.Now, OnError: func(err error) { t.Log("reported:", err) }})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	client := admin(t, rueidis.ClientOption{
		InitAddress: cfg.Addresses, SelectDB: cfg.Database, Username: cfg.Username, Password: cfg.Password,
		TLSConfig: cfg.TLS, ForceSingleClient: cfg.Sentinel == "" && !cfg.Cluster,
		Sentinel: rueidis.SentinelOption{MasterSet: cfg.Sentinel},
	})
	return &redisUnderTest{TB: t, Redis: r, cfg: cfg, admin: client, c: c}, cfg
}

func overRedis(t testing.TB, r *redisUnderTest, c *clock) opened {
	t.Helper()
	store, err := r.Store(t.Context(), mustBox(t, secretOne), c.Now)
	must(t, err)
	return opened{Store: store, set: r.Revocations(), sweep: r.sweep, stats: r.stats}
}
