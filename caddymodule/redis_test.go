package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

// receivedWithin is how soon another machine must receive a revocation. It is long enough for a
// busy machine; a benchmark measures the real delay.
const receivedWithin = 5 * time.Second

// refusedSoon waits until a machine refuses a token, and fails the test if that takes too long.
func (f *fixture) refusedSoon(bearer, code string) {
	f.t.Helper()
	began := time.Now()
	eventually(f.t, "the other machine refuses the token", func() bool {
		a := f.do("GET", "/x", "", "Authorization", bearer)
		return a.status == http.StatusUnauthorized && a.str(f.t, "code") == code
	})
	if took := time.Since(began); took > receivedWithin {
		f.t.Errorf("the token was refused after %v, want at most %v", took, receivedWithin)
	}
}

// TestReplicasAreOne logs in on one machine and uses the session on another: for a request, a
// refresh, an open stream, a logout, and commands of operators.
func TestReplicasAreOne(t *testing.T) {
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "")
	here.load()
	there := here.replica()
	if here.published() != there.published() {
		t.Fatal("two machines publish different keys")
	}
	here.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			streamUpstream(w, r)
		}
	})

	login := here.login("alice")
	bearer := "Bearer " + login.str(t, "access_token")
	there.do("GET", "/x", "", "Authorization", bearer).want(t, http.StatusOK, "")
	fresh := there.refresh(login.str(t, "refresh_token"))
	fresh.want(t, http.StatusOK, "")
	again := here.refresh(login.str(t, "refresh_token")) // as after a lost response
	if again.str(t, "refresh_token") != fresh.str(t, "refresh_token") {
		t.Error("two machines returned different successors")
	}
	socket := there.openWebSocket(t, bearer)
	here.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
	there.refusedSoon(bearer, "session_revoked")
	select {
	case <-socket:
	case <-time.After(receivedWithin):
		t.Error("a stream of the other machine outlived its session")
	}

	bob := here.login("bob")
	openid := bob.str(t, "openId")
	there.operate("user", "logout", "--app", wechatsim.DefaultApp.ID, "--openid", openid)
	here.refusedSoon("Bearer "+bob.str(t, "access_token"), "session_revoked")
	there.refresh(bob.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")

	// After a reset on one machine, the other decrypts with the new session_key.
	carol := here.login("carol")
	there.operate("session-key", "check", "--app", wechatsim.DefaultApp.ID, "--openid", carol.str(t, "openId"))
	there.operate("session-key", "reset", "--app", wechatsim.DefaultApp.ID, "--openid", carol.str(t, "openId"))
	sealed, err := here.sim.Sim.EncryptPhone(wechatsim.User{Name: "carol"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	here.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, carol.str(t, "session_key"))).want(t, http.StatusOK, "")

	metric := there.do("GET", "/metrics", "").body
	for _, want := range []string{"wxgate_revocation_seconds_count", "wxgate_revocations_stale_seconds", "wxgate_store_bytes ", `wxgate_store_seconds_count{operation="update",outcome="ok"}`} {
		if !strings.Contains(metric, want) {
			t.Errorf("no metric %s", want)
		}
	}
	if strings.Contains(metric, "wxgate_revocation_seconds_count 0") {
		t.Error("no revocation of another machine was counted")
	}
}

// TestReplicasReceivePushes: WeChat pushes to one machine that a user withdrew the authorization,
// and the other machine, where the user logged in, refuses the user's tokens.
func TestReplicasReceivePushes(t *testing.T) {
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "")
	t.Setenv("WXGATE_TEST_PUSH", pushToken)
	here.config = strings.Replace(here.config, "api {{.API}}\n", "api {{.API}}\n\t\t\tcallback {env.WXGATE_TEST_PUSH}\n", 1)
	here.load()
	there := here.replica()
	login := there.login("alice")
	push, err := simpush.Event(here.sim.Sim, wechatsim.User{Name: "alice"}, "user_authorization_revoke", simpush.Target{Token: pushToken})
	if err != nil {
		t.Fatal(err)
	}
	here.do("POST", pub+"/callback?"+push.Query.Encode(), string(push.Body)).want(t, http.StatusOK, "")
	there.refusedSoon("Bearer "+login.str(t, "access_token"), "session_revoked")
	there.refresh(login.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
}

// TestReplicasShareKeys retires the signing key on one machine: the other refuses its tokens, and
// signs with its successor.
func TestReplicasShareKeys(t *testing.T) {
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "")
	here.load()
	there := here.replica()
	login := there.login("alice")
	leaked := here.keyIn("signing")
	here.operate("keys", "retire", "--", leaked)
	there.refusedSoon("Bearer "+login.str(t, "access_token"), "invalid_token")
	eventually(t, "the other machine signs with the next key", func() bool {
		return signedBy(t, there.refresh(there.login("alice").str(t, "refresh_token")).str(t, "access_token")) != leaked
	})
	fresh := there.refresh(login.str(t, "refresh_token"))
	fresh.want(t, http.StatusOK, "")
	for _, f := range []*fixture{here, there} {
		f.wantCall(fresh.str(t, "access_token"), http.StatusOK, "")
		if strings.Contains(f.published(), leaked) {
			t.Error("the retired key is still published")
		}
	}
	there.operate("keys", "rotate", "--immediate")
	next := there.keyIn("signing")
	here.wantCall(there.token("alice"), http.StatusUnauthorized, "invalid_token") // not known yet
	eventually(t, "the first machine knows the key", func() bool {
		return here.do("GET", "/x", "", "Authorization", "Bearer "+there.token("alice")).status == http.StatusOK
	})
	if by := signedBy(t, here.token("alice")); by != next {
		t.Errorf("signed by %s, the key that signs is %s", by, next)
	}
}

// TestReplicasShareLimits: two machines share an exact limit. While Redis is down, each machine
// allows the whole limit.
func TestReplicasShareLimits(t *testing.T) {
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "limit login 4/1h")
	here.load()
	there := here.replica()
	for i := range 4 {
		[]*fixture{here, there}[i%2].login("alice")
	}
	for _, f := range []*fixture{here, there} {
		a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")))
		a.want(t, http.StatusTooManyRequests, "rate_limited")
		if a.header.Get("Retry-After") == "" {
			t.Error("the refusal has no Retry-After")
		}
	}
	if got := here.sim.Sim.Count("/sns/jscode2session"); got != 4 {
		t.Errorf("WeChat got %d logins", got)
	}
	redis.kill()
	refusals := 0
	for range 6 {
		a := here.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, here.code("alice")))
		if a.status == http.StatusTooManyRequests {
			refusals++
		}
	}
	if refusals != 2 {
		t.Errorf("without Redis a machine refused %d of 6 logins; its limit is 4", refusals)
	}
}

// TestReplicasShareWideLimit: clients in different /64 of one IPv6 /48 share one limit on two
// machines. Another /48 has a separate limit.
func TestReplicasShareWideLimit(t *testing.T) {
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "limit login 1/1h")
	here.config = strings.Replace(here.config, "\tmetrics\n", "\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}\n\tmetrics\n", 1)
	here.load()
	there := here.replica()
	login := func(f *fixture, ip string) response {
		return f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q}`, f.code("alice")), "X-Forwarded-For", ip)
	}
	const allowance = 256 // of a /48, for each login that a /64 may have
	for i := range allowance {
		login([]*fixture{here, there}[i%2], fmt.Sprintf("2001:db8:1:%x::1", i)).want(t, http.StatusOK, "")
	}
	for i, f := range []*fixture{here, there} {
		login(f, fmt.Sprintf("2001:db8:1:ff0%d::1", i)).want(t, http.StatusTooManyRequests, "rate_limited")
		login(f, fmt.Sprintf("2001:db8:2:%d::1", i)).want(t, http.StatusOK, "")
	}
	if got := here.sim.Sim.Count("/sns/jscode2session"); got != allowance+2 {
		t.Errorf("WeChat got %d logins", got)
	}
}

// TestReplicasShareWeChatsToken: several machines call WeChat with the same access token, which is
// fetched once.
func TestReplicasShareWeChatsToken(t *testing.T) {
	redis := startRedis(t)
	here := newSharedFixture(t, redis, "")
	here.load()
	for _, f := range []*fixture{here, here.replica(), here.replica()} {
		code, err := f.sim.Sim.MintPhoneCode(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{})
		if err != nil {
			t.Fatal(err)
		}
		f.do("POST", pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), "Authorization", "Bearer "+f.token("alice")).want(t, http.StatusOK, "")
	}
	if got := here.sim.Sim.Count("/cgi-bin/stable_token"); got != 1 {
		t.Errorf("%d access tokens were fetched", got)
	}
}

// TestRequestsCallNoRedis: authenticated requests run no command in Redis. Only the reader of
// revocations and the checks of the connection do.
func TestRequestsCallNoRedis(t *testing.T) {
	redis := startRedis(t)
	f := newSharedFixture(t, redis, "")
	f.load()
	bearer := "Bearer " + f.token("alice")
	before := redis.commands()
	const requests = 500
	for range requests {
		f.do("GET", "/x", "", "Authorization", bearer).want(t, http.StatusOK, "")
	}
	after := redis.commands()
	own := map[string]bool{"xread": true, "info": true, "ping": true, "role": true, "client": true, "hello": true, "select": true}
	for command, calls := range after {
		if before[command] != calls && !own[command] {
			t.Errorf("%d requests made Redis run %s: %s times before, %s after", requests, command, before[command], calls)
		}
	}
	if before["xread"] == "" {
		t.Errorf("no client reads the revocations: %v", after)
	}
}
