package caddymodule_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// redisServer is a real redis-server on loopback. It always ends with the test process: a shell
// kills it when the shell's standard input is closed.
type redisServer struct {
	t      testing.TB
	addr   string
	dir    string
	args   []string
	client rueidis.Client // for commands of the test
	keeper *exec.Cmd
	leash  io.Closer
}

// startRedis starts a server. It keeps nothing on disk by default.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	s := &redisServer{t: t, addr: freeAddr(t), dir: t.TempDir(), args: append([]string{"--save", "", "--appendonly", "no"}, args...)}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// startSentinel starts a Sentinel that watches the server under a name.
func startSentinel(t testing.TB, master *redisServer, name string) *redisServer {
	t.Helper()
	s := &redisServer{t: t, addr: freeAddr(t), dir: t.TempDir(), args: []string{"sentinel.conf", "--sentinel"}}
	config := "sentinel monitor " + name + " " + strings.Replace(master.addr, ":", " ", 1) + " 1\n"
	if err := os.WriteFile(filepath.Join(s.dir, "sentinel.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	args := append([]string{"-c", `redis-server "$@" >>log 2>&1 & pid=$!; cat >/dev/null; kill -9 $pid`, "keeper"}, s.args...)
	args = append(args, "--port", port, "--bind", "127.0.0.1")
	s.keeper = exec.CommandContext(context.Background(), "sh", args...)
	s.keeper.Dir = s.dir
	if s.leash, err = s.keeper.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.keeper.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if s.t.Failed() {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Logf("the log of redis-server:\n%s", log)
		}
	}()
	eventually(s.t, "redis-server listens", func() bool {
		conn, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// kill kills the server, as a crash does.
func (s *redisServer) kill() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
	if s.keeper == nil {
		return
	}
	_ = s.leash.Close()
	_ = s.keeper.Wait() // it was killed
	s.keeper = nil
}

// do runs a command as an operator would with redis-cli.
func (s *redisServer) do(args ...string) rueidis.RedisResult {
	s.t.Helper()
	if s.client == nil {
		var err error
		s.client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.addr}, DisableCache: true, ForceSingleClient: true})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	result := s.client.Do(context.Background(), s.client.B().Arbitrary(args...).Build())
	if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return result
}

func (s *redisServer) text(args ...string) string {
	s.t.Helper()
	text, err := s.do(args...).ToString()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// commands returns how often each command was called since the server started.
func (s *redisServer) commands() map[string]string {
	s.t.Helper()
	counts := make(map[string]string)
	for line := range strings.Lines(s.text("INFO", "commandstats")) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls="); ok {
			counts[name], _, _ = strings.Cut(rest, ",")
		}
	}
	return counts
}
