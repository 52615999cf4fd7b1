package redis_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

const redisPassword = "MarkedPassword"

// wantAdvice expects an error of the store that contains the parts, and no password.
func wantAdvice(t testing.TB, what string, err error, parts ...string) {
	t.Helper()
	if !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("%s: got %v, want ErrStoreUnavailable", what, err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %q does not contain %q", what, err, part)
		}
	}
	if strings.Contains(err.Error(), redisPassword) {
		t.Errorf("%s: the password is in the error", what)
	}
}

// openFully opens Redis and a store over it.
func openFully(t testing.TB, cfg redis.Config) error {
	t.Helper()
	c := sessiontest.NewClock()
	r, err := redis.Open(t.Context(), cfg, session.Options{Now: c.Now})
	if err != nil {
		return err
	}
	t.Cleanup(func() { sessiontest.Must(t, r.Close()) })
	_, err = r.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	return err
}

// keepBusy makes a server run a script that does not end.
func keepBusy(t testing.TB, s *sessiontest.RedisServer) {
	t.Helper()
	client := plainAdmin(t, s.Addr)
	conn, err := net.Dial("tcp", s.Addr)
	sessiontest.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("EVAL 'while true do end' 0\r\n"))
	sessiontest.Must(t, err)
	eventually(t, "it is busy", func() bool {
		err := client.Do(t.Context(), client.B().Ping().Build()).Error()
		return err != nil && strings.Contains(err.Error(), "BUSY")
	})
}

// TestOpenRedisAdvice: each failure to open Redis has advice for the operator.
func TestOpenRedisAdvice(t *testing.T) {
	t.Parallel()
	server := sessiontest.StartRedis(t, "--requirepass", redisPassword, "--user", "few", "on", ">"+redisPassword, "~*", "-@all", "+info", "+hello")
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	busy, crowded := sessiontest.StartRedis(t, "--busy-reply-threshold", "1"), sessiontest.StartRedis(t)
	keepBusy(t, busy)
	do(t, plainAdmin(t, crowded.Addr), "CONFIG", "SET", "maxclients", "1")
	for name, test := range map[string]struct {
		cfg    redis.Config
		advice []string
	}{
		"busy":                 {redis.Config{Addresses: []string{busy.Addr}}, []string{"BUSY", "SCRIPT KILL"}},
		"too many connections": {redis.Config{Addresses: []string{crowded.Addr}}, []string{"max number of clients", "raise maxclients"}},
		"no address":           {redis.Config{}, []string{"address is required"}},
		"no server":            {redis.Config{Addresses: []string{sessiontest.FreeAddress(t)}}, []string{"refused", "check that it is running"}},
		"no password":          {redis.Config{Addresses: []string{server.Addr}}, []string{"NOAUTH", "set username and password"}},
		"wrong password":       {redis.Config{Addresses: []string{server.Addr}, Password: redisPassword + "?"}, []string{"WRONGPASS", "check username and password"}},
		"wrong user":           {redis.Config{Addresses: []string{server.Addr}, Username: "unknown", Password: redisPassword}, []string{"WRONGPASS", "check username and password"}},
		"too few rights":       {redis.Config{Addresses: []string{server.Addr}, Username: "few", Password: redisPassword}, []string{"NOPERM", "permissions"}},
		"no such database":     {redis.Config{Addresses: []string{server.Addr}, Password: redisPassword, Database: 99}, []string{"DB index is out of range"}},
		"not a Cluster":        {redis.Config{Addresses: []string{server.Addr}, Password: redisPassword, Cluster: true}, []string{"not a Cluster", "remove the option cluster"}},
		"not a Sentinel":       {redis.Config{Addresses: []string{server.Addr}, SentinelPassword: redisPassword, Sentinel: "mymaster"}, []string{"SENTINEL", "not a Sentinel"}},
		"not Redis":            {redis.Config{Addresses: []string{strings.TrimPrefix(web.URL, "http://")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			wantAdvice(t, "opening", openFully(t, test.cfg), test.advice...)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestRedisRefuses: a server responds but refuses writes. Logins fail with advice, and the
// gateway is not ready until the server accepts writes again.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refuse, restore []string // commands
		advice          []string
		endsGoThrough   bool
	}{
		"full":        {[]string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}, []string{"OOM", "maxmemory"}, true},
		"replica":     {[]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}, []string{"READONLY", "is a replica"}, false},
		"no replicas": {[]string{"CONFIG", "SET", "min-replicas-to-write", "1"}, []string{"CONFIG", "SET", "min-replicas-to-write", "0"}, []string{"NOREPLICAS", "min-replicas-to-write"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sessiontest.NewClock()
			server := sessiontest.StartRedis(t)
			r, _ := openWith(t, c, redis.Config{Addresses: []string{server.Addr}})
			store := storeOn(t, r, c)
			s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
			do(t, r.admin, test.refuse...)
			create := func() error {
				return sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(sessiontest.Alice, c), auth.SessionKey{Key: "k2"}, auth.SessionLimit{}))
			}
			wantAdvice(t, "a login", create(), append(test.advice, server.Addr)...)
			wantAdvice(t, "ready", r.Ready(t.Context()), test.advice...)
			err := store.Update(t.Context(), s.ID, func(*auth.Session) (auth.Verdict, error) { return auth.End, nil })
			if test.endsGoThrough != (err == nil) {
				t.Errorf("a logout: %v", err)
			}
			do(t, r.admin, test.restore...)
			eventually(t, "ready again", func() bool { return r.Ready(t.Context()) == nil })
			eventually(t, "logins work again", func() bool { return create() == nil })
		})
	}
}

// TestRedisThatEvictsIsReported: a server that evicts any key when it is full is reported,
// because it would evict revocations too.
func TestRedisThatEvictsIsReported(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]bool{"noeviction": false, "allkeys-lru": true} {
		server := sessiontest.StartRedis(t, "--maxmemory-policy", policy)
		var reported []error
		r, err := redis.Open(t.Context(), redis.Config{Addresses: []string{server.Addr}},
			session.Options{OnError: func(err error) { reported = append(reported, err) }})
		sessiontest.Must(t, err)
		sessiontest.Must(t, r.Close())
		if got := len(reported) == 1 && strings.Contains(reported[0].Error(), "set it to noeviction"); got != want {
			t.Errorf("%s: reported %v", policy, reported)
		}
	}
}

// TestRedisLoads: a server that still loads its data from disk is reported, and waited for.
func TestRedisLoads(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(t)
	r, _ := openWith(t, c, redis.Config{Addresses: []string{server.Addr}})
	store := storeOn(t, r, c)
	s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	const fillers = 1000
	do(t, r.admin, "EVAL", "for i = 1, ARGV[1] do redis.call('SET', 'filler' .. i, i) end", "0", strconv.Itoa(fillers))
	do(t, r.admin, "SAVE")
	server.Stop()
	server.Args = append(server.Args, "--enable-debug-command", "yes", "--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024") // 2 s in all
	server.Start(t)
	wantAdvice(t, "a new replica", openFully(t, redis.Config{Addresses: []string{server.Addr}}), "LOADING", "wait")
	eventually(t, "not ready", func() bool { return r.Ready(t.Context()) != nil })
	wantAdvice(t, "ready", r.Ready(t.Context()), "LOADING", "wait")
	eventually(t, "ready again", func() bool { return r.Ready(t.Context()) == nil })
	if _, err := store.Session(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
}
