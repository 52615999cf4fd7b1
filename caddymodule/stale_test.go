package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// adapted is the fixture's configuration in JSON.
func (f *fixture) adapted() []byte {
	f.t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(f.caddyfile(), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		f.t.Fatal(err)
	}
	return config
}

// TestOnStale stops Redis: tokens are admitted for the time that the site allows. Then every
// call that needs a token is refused with 503, and open streams end. When Redis is back, all
// calls succeed again.
func TestOnStale(t *testing.T) {
	for option, test := range map[string]struct{ allowed, refused time.Duration }{
		"on_stale allow 5s": {3 * time.Second, 8 * time.Second},
		"on_stale deny":     {0, 5 * time.Second},
	} {
		t.Run(option, func(t *testing.T) {
			redis := startRedis(t)
			f := newSharedFixture(t, redis, option)
			f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/events") || r.Header.Get("Upgrade") != "" {
					streamUpstream(w, r)
				}
			})
			f.load()
			login := f.login("alice")
			token := login.str(t, "access_token")
			socket, events := f.openWebSocket(t, "Bearer "+token), f.openEventStream(t, "Bearer "+token)
			f.do("GET", pub+"/ready", "").want(t, http.StatusOK, "")

			redis.kill()
			gone := time.Now()
			want503 := func(method, path, body string) {
				t.Helper()
				a := f.do(method, path, body, "Authorization", "Bearer "+token)
				a.want(t, http.StatusServiceUnavailable, "store_unavailable")
				if a.header.Get("Retry-After") == "" {
					t.Errorf("%s: a 503 without Retry-After", path)
				}
			}
			eventually(t, "logins fail at once", func() bool {
				return f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("bob"))).status == http.StatusServiceUnavailable
			})
			eventually(t, "the gateway is degraded", func() bool {
				a := f.do("GET", pub+"/ready", "")
				return a.status == http.StatusOK && a.str(t, "status") == "degraded" && strings.Contains(a.body, "store_unavailable")
			})
			eventually(t, "the token is refused", func() bool {
				a := f.do("GET", "/x", "", "Authorization", "Bearer "+token)
				if a.status == http.StatusOK {
					return false
				}
				a.want(t, http.StatusServiceUnavailable, "store_unavailable")
				return true
			})
			if took := time.Since(gone); took < test.allowed || took > test.refused {
				t.Errorf("refused after %v, want %v to %v", took, test.allowed, test.refused)
			}
			for name, ended := range map[string]<-chan time.Time{"WebSocket": socket, "event stream": events} {
				select {
				case <-ended:
				case <-time.After(receivedWithin):
					t.Errorf("a %s continued while no revocations were received", name)
				}
			}
			want503("GET", pub+"/session", "")
			want503("POST", pub+"/logout", "")
			want503("POST", pub+"/revoke", fmt.Sprintf(`{"token":%q}`, token))
			want503("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, login.str(t, "refresh_token")))
			began := time.Now()
			want503("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("bob")))
			if took := time.Since(began); took > time.Second {
				t.Errorf("a login waited %v for Redis", took)
			}
			f.do("GET", "/x", "", "Authorization", "Bearer "+token+"x").want(t, http.StatusUnauthorized, "invalid_token")
			ready := f.do("GET", pub+"/ready", "")
			if ready.want(t, http.StatusServiceUnavailable, ""); !strings.Contains(ready.body, "revocations_stale") {
				t.Errorf("not ready because of %s", ready.body)
			}

			redis.start()
			eventually(t, "the token is admitted again", func() bool {
				return f.do("GET", "/x", "", "Authorization", "Bearer "+token).status == http.StatusOK
			})
			eventually(t, "the gateway is ready", func() bool { return f.do("GET", pub+"/ready", "").str(t, "status") == "ready" })
			f.login("carol")
		})
	}
}

// TestVerifyOnStale: wxgate_verify refuses as a site does, with 503, which is no denial.
func TestVerifyOnStale(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "")
	f.config += "http://{{.Plain}} {\n\twxgate_verify {\n\t\tpath_from request\n\t\ton_stale deny\n\t}\n}\n"
	f.load()
	token := f.token("alice")
	verify := *f
	verify.url = "http://" + f.plain
	verify.wantCall(token, http.StatusOK, "")
	redis.kill()
	eventually(t, "wxgate_verify responds 503", func() bool {
		return verify.do("GET", "/x", "", "Authorization", "Bearer "+token).status == http.StatusServiceUnavailable
	})
	f.wantLoadError("redis at " + redis.addr) // and the old configuration continues
	f.wantCall(token, http.StatusOK, "")      // the other site allows 30 s
}

// TestRedisStartErrors: when a machine cannot join the others, the error says what to do.
func TestRedisStartErrors(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "")
	f.load()
	token := f.token("alice")
	f.stop()

	t.Setenv("WXGATE_TEST_ROOT", strings.Repeat("another!", 8))
	f.wantLoadError("sealed with another root secret", "configure the same root secret on every replica", redis.addr)
	generated := *f
	generated.config = strings.Replace(f.config, "\t\tsecret {env.WXGATE_TEST_ROOT}\n", "", 1)
	generated.wantLoadError("sealed with another root secret", "wxgate/root_secret", "secret {file.")

	t.Setenv("WXGATE_TEST_ROOT", sharedRoot)
	f.load()
	f.wantCall(token, http.StatusOK, "")
	f.stop()

	redis.kill()
	f.wantLoadError("store unavailable", redis.addr, "check that it is running")
	if err := caddy.Validate(mustConfig(t, f.adapted())); err != nil {
		t.Errorf("validating needs Redis: %v", err)
	}
	f.config = strings.Replace(f.config, "redis redis://", "redis redis://wxgate:hunter2hunter2@", 1)
	if err := f.tryLoad(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password: %v", err)
	}
}

// TestRedisReloads reloads a hundred times: the connections to Redis are kept, nothing leaks,
// and a revoked session remains revoked.
func TestRedisReloads(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "limit login 3/1h")
	configure := func(i int) {
		f.config = shared("redis redis://"+redis.addr, fmt.Sprintf("limit login 3/1h\n\t\toptional /feed%d", i))
		// An old configuration's idle connections go soon, not after 2 minutes.
		f.config = strings.Replace(f.config, "reverse_proxy {{.Upstream}}", "reverse_proxy {{.Upstream}} {\n\t\ttransport http {\n\t\t\tkeepalive 1s\n\t\t}\n\t}", 1)
	}
	f.load()
	bearer := "Bearer " + f.token("alice")
	revoked := "Bearer " + f.token("mallory")
	f.do("POST", pub+"/logout", "", "Authorization", revoked).want(t, http.StatusNoContent, "")
	f.load()
	connections := func() int { return strings.Count(redis.text("CLIENT", "LIST"), "name=wxgate") }
	before, opened := resources(t), connections()
	for i := range reloads {
		configure(i)
		f.load()
		f.do("GET", "/x", "", "Authorization", bearer).want(t, http.StatusOK, "")
		f.do("GET", "/x", "", "Authorization", revoked).want(t, http.StatusUnauthorized, "session_revoked")
	}
	if now := connections(); now > opened+1 { // one more may serve a blocking command
		t.Errorf("%d connections to Redis, then %d", opened, now)
	}
	f.token("alice")
	f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice"))).want(t, http.StatusTooManyRequests, "rate_limited")
	before.wantNoMore(t)
}

// TestOneMachineToMany moves a machine from its own file to Redis: earlier access tokens
// remain valid, also on the machines that join it.
func TestOneMachineToMany(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "")
	many := f.config
	f.config = shared("bolt {{.Dir}}/wxgate.db", "")
	f.load()
	token, key := f.token("alice"), f.keyIn("signing")
	f.config = many
	f.load()
	if now := f.keyIn("signing"); now != key {
		t.Errorf("%s signs, before it was %s", now, key)
	}
	f.wantCall(token, http.StatusOK, "")
	f.replica().wantCall(token, http.StatusOK, "")
}
