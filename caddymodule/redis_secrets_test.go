package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/doctor"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// redisPassword is unusual text, so that a search finds it in any output.
const redisPassword = "marked-redis-password-hunter2"

// documentedUser creates an ACL user of SECURITY.md on the server.
func (s *redisServer) documentedUser(name string) {
	s.t.Helper()
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		s.t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ *(ACL SETUSER ` + name + ` .*)$`).FindSubmatch(text)
	if line == nil {
		s.t.Fatal("SECURITY.md documents no ACL user " + name)
	}
	s.do(strings.Fields(strings.Replace(string(line[1]), "<password>", redisPassword, 1))...)
}

// TestRedisShowsNothing stores every kind of data with the ACL user of SECURITY.md. No secret can
// be read in Redis, and no log, metric or response has the password of Redis.
func TestRedisShowsNothing(t *testing.T) {
	redis := startRedis(t)
	redis.documentedUser("wxgate")
	t.Setenv("WXGATE_TEST_REDIS", redisPassword)
	for name, store := range map[string]string{
		"placeholder in an option": "redis redis://" + redis.addr + " {\n\t\t\tusername wxgate\n\t\t\tpassword {env.WXGATE_TEST_REDIS}\n\t\t}",
		"placeholder in the URL":   "redis redis://wxgate:{env.WXGATE_TEST_REDIS}@" + redis.addr,
		"the URL":                  "redis redis://wxgate:" + redisPassword + "@" + redis.addr,
	} {
		t.Run(name, func(t *testing.T) {
			f := newSharedFixture(t, redis, "limit login 100/1m")
			f.config = strings.Replace(shared(store, "limit login 100/1m"), "\tadmin unix", "\tlog {\n\t\toutput file {{.Dir}}/log\n\t\tlevel DEBUG\n\t}\n\tadmin unix", 1)
			r := newReceiver(t)
			r.gateway = f
			r.respond(http.StatusServiceUnavailable) // events remain in the queue
			t.Setenv("WXGATE_TEST_BEARER", eventsBearer)
			f.config = strings.Replace(f.config, "\t\tsecret {env.WXGATE_TEST_ROOT}", "\t\t"+eventsTo(r.url)+"\n\t\tsecret {env.WXGATE_TEST_ROOT}", 1)
			f.load()
			secrets := f.liveWithRedis()
			eventually(t, "an attempt to send an event", func() bool { return r.attempts() > 0 })
			redis.refusedNothing(t)
			redis.reveals(t, secrets)

			log, err := os.ReadFile(filepath.Join(f.dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			if warned := strings.Contains(string(log), "the password of store redis is written in the configuration"); warned != (name == "the URL") {
				t.Errorf("warned of a literal password: %v", warned)
			}
			config := adminGet(t, f.socket(), "/config/")
			for where, text := range map[string]string{"the log": string(log), "the metrics": f.do("GET", "/metrics", "").body, "ready": f.do("GET", pub+"/ready", "").body} {
				if strings.Contains(text, redisPassword) {
					t.Errorf("the password of Redis is in %s: %s", where, excerpt(text, redisPassword))
				}
			}
			if shown := strings.Contains(config, redisPassword); shown != (name == "the URL") {
				t.Errorf("the configuration shows the password: %v", shown)
			}
		})
	}
}

// TestRedisRights: the ACL user of SECURITY.md has all rights that doctor checks. If rights are
// removed, doctor names them, and a gateway with events_to does not start.
func TestRedisRights(t *testing.T) {
	redis := startRedis(t, "--appendonly", "yes")
	redis.documentedUser("wxgate")
	t.Setenv("WXGATE_TEST_REDIS", redisPassword)
	t.Setenv("WXGATE_TEST_BEARER", eventsBearer)
	f := newSharedFixture(t, redis, "")
	plain := strings.Replace(f.config, "redis://"+redis.addr, "redis://wxgate:{env.WXGATE_TEST_REDIS}@"+redis.addr, 1)
	withEvents := strings.Replace(plain, "\t\tsecret {env.WXGATE_TEST_ROOT}", "\t\t"+eventsTo("http://127.0.0.1:1/events")+"\n\t\tsecret {env.WXGATE_TEST_ROOT}", 1)
	f.config = withEvents
	if found, _ := f.examine(); hasFinding(unhealthy(found), doctor.CheckStore, "may not run") {
		t.Errorf("with every right: %v", found)
	}
	f.load()
	f.stop()
	redis.do("ACL", "SETUSER", "wxgate", "-zpopmin", "-decrby", "-xinfo|stream")
	const want = "the ACL user may not run commands of the queue: decrby, zpopmin; grant it the permissions listed in SECURITY.md"
	if err := f.tryLoad(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("loading with events_to: %v, want %s", err, want)
	}
	if found, _ := f.examine(); !hasFinding(unhealthy(found), doctor.CheckStore, "its ACL user may not run xinfo|stream, decrby, zpopmin. Grant it the permissions listed in SECURITY.md") {
		t.Errorf("without three rights: %v", found)
	}
	redis.do("ACL", "SETUSER", "wxgate", "+xinfo|stream")
	f.config = plain
	f.load() // without events_to
}

func (s *redisServer) refusedNothing(t *testing.T) {
	t.Helper()
	if refused, err := s.do("ACL", "LOG").ToAny(); err != nil || len(refused.([]any)) > 0 {
		t.Errorf("Redis refused commands: %v, %v", refused, err)
	}
}

// TestRedisSentinel finds the master through a Sentinel, with the ACL users of SECURITY.md on both.
func TestRedisSentinel(t *testing.T) {
	redis := startRedis(t)
	redis.documentedUser("wxgate")
	sentinel := startSentinel(t, redis, "mymaster")
	sentinel.documentedUser("watcher")
	t.Setenv("WXGATE_TEST_REDIS", redisPassword)
	f := newSharedFixture(t, redis, "")
	options := []string{"sentinel mymaster", "username wxgate", "password {env.WXGATE_TEST_REDIS}", "sentinel_username watcher", "sentinel_password {env.WXGATE_TEST_REDIS}", "acks 0"}
	configure := func(options ...string) {
		f.config = shared("redis redis://"+sentinel.addr+" {\n\t\t\t"+strings.Join(options, "\n\t\t\t")+"\n\t\t}", "")
	}
	configure(append([]string{"sentinel another"}, options[1:]...)...)
	f.wantLoadError("store unavailable", sentinel.addr)
	configure(options...)
	f.load()
	f.liveWithRedis()
	redis.refusedNothing(t)
	sentinel.refusedNothing(t)
}

// liveWithRedis stores data of every kind in Redis, and returns the secrets in it by description.
func (f *fixture) liveWithRedis() map[string]string {
	f.t.Helper()
	login := f.login("alice")
	bearer := "Bearer " + login.str(f.t, "access_token")
	code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{})
	if err != nil {
		f.t.Fatal(err)
	}
	phone := f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", bearer)
	phone.want(f.t, http.StatusOK, "")
	fresh := f.refresh(login.str(f.t, "refresh_token"))
	fresh.want(f.t, http.StatusOK, "")
	out := f.login("mallory")
	f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", "Bearer "+out.str(f.t, "access_token")).want(f.t, http.StatusNoContent, "")
	f.operate("keys", "rotate")
	return map[string]string{
		"an openid": login.str(f.t, "openId"), "a revoked openid": out.str(f.t, "openId"), "an access token": fresh.str(f.t, "access_token"),
		"a refresh token": fresh.str(f.t, "refresh_token"), "a handle": login.str(f.t, "session_key"), "a phone number": phone.str(f.t, "purePhoneNumber"),
		"the address of a client": "127.0.0.1", "the root secret": sharedRoot, "the AppSecret": wechatsim.DefaultApp.Secret,
		"the appid": wechatsim.DefaultApp.ID, "the password": redisPassword,
	}
}

// reveals searches all data in Redis for secrets.
func (s *redisServer) reveals(t *testing.T, secrets map[string]string) {
	t.Helper()
	keys, err := s.do("KEYS", "*").AsStrSlice()
	if err != nil || len(keys) < 8 {
		t.Fatalf("%d keys: %v", len(keys), err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "wxgate:") {
			t.Errorf("a key without the prefix: %s", key)
		}
		dump := key + s.text("DUMP", key)
		switch s.text("TYPE", key) {
		case "stream":
			dump += fmt.Sprint(s.do("XRANGE", key, "-", "+").ToAny())
		case "hash":
			dump += fmt.Sprint(s.do("HGETALL", key).ToAny())
		case "zset":
			dump += fmt.Sprint(s.do("ZRANGE", key, "0", "-1").ToAny())
		case "string":
			dump += s.text("GET", key)
		}
		for what, secret := range secrets {
			if strings.Contains(dump, secret) {
				t.Errorf("%s is readable in Redis, in %s", what, key)
			}
		}
	}
}
