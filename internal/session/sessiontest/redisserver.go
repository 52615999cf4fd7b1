package sessiontest

import (
	"context"
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
)

// RedisServer is a redis-server for tests. It ends with the test process, however that
// ends: its keeper waits for the end of its standard input.
type RedisServer struct {
	Addr  string
	Dir   string
	Args  []string // of redis-server
	keep  *exec.Cmd
	leash io.Closer
}

// StartRedis starts a server on a free port of loopback, with additional arguments.
func StartRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	addr := FreeAddress(t)
	return StartProcess(t, addr, slices.Concat(RedisArgs(addr), args)...)
}

// RedisArgs returns arguments for a plain server that stores nothing on disk.
func RedisArgs(addr string) []string {
	return []string{"--port", PortOf(addr), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}
}

// StartProcess starts redis-server with the arguments, and stops it with the test.
func StartProcess(t testing.TB, addr string, args ...string) *RedisServer {
	t.Helper()
	s := &RedisServer{Addr: addr, Dir: t.TempDir(), Args: args}
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// FreeAddress returns an address of loopback that is not in use.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	Must(t, err)
	Must(t, listener.Close())
	return listener.Addr().String()
}

// PortOf returns the port of an address.
func PortOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// Start starts the server, or starts it again after Stop.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed: Debian's package redis-server has it")
	}
	const keeper = `"$@" >>log 2>&1 & pid=$!; cat >/dev/null; kill -9 $pid; wait $pid`
	args := append([]string{"-c", keeper, "keeper", binary}, s.Args...)
	s.keep = exec.CommandContext(context.Background(), "sh", args...) //nolint:gosec // G204: the arguments come from tests
	s.keep.Dir = s.Dir
	s.leash, err = s.keep.StdinPipe()
	Must(t, err)
	Must(t, s.keep.Start())
	s.Await(t)
}

// Await returns once the server responds, even if it only requires a password.
func (s *RedisServer) Await(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	dialer := net.Dialer{Timeout: time.Second}
	for {
		conn, err := dialer.DialContext(context.Background(), "tcp", s.Addr)
		if err == nil {
			Must(t, conn.Close())
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			t.Fatalf("redis-server does not listen: %v\n%s", err, log)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Stop kills the server, as a crash does.
func (s *RedisServer) Stop() {
	if s.keep == nil {
		return
	}
	_ = s.leash.Close()
	_ = s.keep.Wait()
	s.keep = nil
}

// shared is the server of all tests that do not disturb it: each test has a database.
var (
	sharedServer *RedisServer
	sharedNext   int
	sharedMu     sync.Mutex
)

const sharedDatabases = 2048

// SharedRedis returns an unused database of the shared server.
func SharedRedis(t testing.TB) (addr string, database int) {
	t.Helper()
	sharedMu.Lock()
	defer sharedMu.Unlock()
	if sharedServer == nil {
		dir, err := os.MkdirTemp("", "wxgate-redis-") //nolint:usetesting // it outlives this test
		Must(t, err)
		addr := FreeAddress(t)
		sharedServer = &RedisServer{Addr: addr, Dir: dir, Args: append(RedisArgs(addr), "--databases", strconv.Itoa(sharedDatabases))}
		sharedServer.Start(t)
	}
	sharedNext++
	return sharedServer.Addr, sharedNext % sharedDatabases
}

// StopSharedRedis stops the shared server, if a test has started it.
func StopSharedRedis() {
	if sharedServer != nil {
		sharedServer.Stop()
		_ = os.RemoveAll(sharedServer.Dir)
	}
}
