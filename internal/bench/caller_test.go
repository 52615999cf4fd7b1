package bench

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/bench/load"
	"github.com/wxgate/wxgate/internal/bench/seed"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sent returns the next request of a caller.
func sent(t *testing.T, c load.Caller) (*http.Request, string) {
	t.Helper()
	text, err := c.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(bytes.NewReader(text))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || in.Buffered() > 0 {
		t.Errorf("%v, and %d bytes after the request", err, in.Buffered())
	}
	return r, string(body)
}

// The callers of a server share the tokens, each of which is used in turn.
func TestTokensAreUsedInTurn(t *testing.T) {
	tokens := []seed.Token{{Access: "a", OpenID: "alice"}, {Access: "b", OpenID: "bob"}, {Access: "c", OpenID: "carol"}}
	callers := newTokenCallers("127.0.0.1:80", 2, tokens, alwaysGuards)
	var got []string
	for i := range 4 {
		r, _ := sent(t, callers[i%2])
		got = append(got, r.Header.Get("Authorization"))
	}
	if all := strings.Join(got, ","); all != "Bearer a,Bearer b,Bearer c,Bearer a" {
		t.Errorf("sent %s", all)
	}
}

// A response counts only if it is the upstream's, and the upstream received the openid from
// a server that guards.
func TestTokenCallerChecks(t *testing.T) {
	tokens := []seed.Token{{Access: "a", OpenID: "alice"}}
	for _, test := range []struct {
		name   string
		status int
		body   string
		ok     map[guarding]bool
	}{
		{"the openid", 200, load.Greeting + "alice", map[guarding]bool{alwaysGuards: true, mayGuard: true}},
		{"no openid", 200, load.Greeting, map[guarding]bool{neverGuards: true, mayGuard: true}},
		{"another openid", 200, load.Greeting + "bob", nil},
		{"two openids", 200, load.Greeting + "alice,alice", nil},
		{"refused", 401, load.Greeting + "alice", nil},
		{"not the upstream", 200, "alice", nil},
		{"empty", 200, "", nil},
	} {
		for _, g := range []guarding{neverGuards, alwaysGuards, mayGuard} {
			c := newTokenCallers("127.0.0.1:80", 1, tokens, g)[0]
			sent(t, c)
			if err := c.Check(test.status, []byte(test.body)); (err == nil) != test.ok[g] {
				t.Errorf("%s, guarding %d: %v", test.name, g, err)
			}
		}
	}
}

const granted = `{"openId":"OPENID","access_token":"a","refresh_token":"r1"}`

// A login sends a new code each time, and accepts only its user.
func TestLoginCaller(t *testing.T) {
	sim := wechatsim.New(wechatsim.Config{})
	defer sim.Close()
	c := newLoginCallers("127.0.0.1:80", 1, sim, false)[0].(*loginCaller)
	r, first := sent(t, c)
	if r.Method != http.MethodPost || r.URL.Path != "/v1.0/pub/openId" || !strings.HasPrefix(first, `{"code":"`) {
		t.Errorf("%s %s %s", r.Method, r.URL, first)
	}
	if err := c.Check(200, []byte(strings.Replace(granted, "OPENID", c.openid, 1))); err != nil {
		t.Error(err)
	}
	if _, second := sent(t, c); second == first {
		t.Error("the same code was sent twice")
	}
	for name, body := range map[string]string{
		"another user":     granted,
		"no access token":  `{"openId":"` + c.openid + `","refresh_token":"r1"}`,
		"no refresh token": `{"openId":"` + c.openid + `","access_token":"a"}`,
		"not JSON":         "hello",
	} {
		if c.Check(200, []byte(body)) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if c.Check(503, []byte(granted)) == nil {
		t.Error("status 503 was accepted")
	}
}

// A refresh sends the refresh token of the response before.
func TestRefreshCaller(t *testing.T) {
	sim := wechatsim.New(wechatsim.Config{})
	defer sim.Close()
	c := newLoginCallers("127.0.0.1:80", 1, sim, true)[0].(*loginCaller)
	sent(t, c)
	if err := c.Check(200, []byte(strings.Replace(granted, "OPENID", c.openid, 1))); err != nil {
		t.Fatal(err)
	}
	for _, next := range []string{"r2", "r3"} {
		r, body := sent(t, c)
		if want := `{"refresh_token":"` + c.token + `"}`; r.URL.Path != "/v1.0/pub/refresh" || body != want {
			t.Errorf("%s %s, want %s", r.URL, body, want)
		}
		if err := c.Check(200, []byte(`{"access_token":"a","refresh_token":"`+next+`"}`)); err != nil || c.token != next {
			t.Errorf("token %s, %v; want %s", c.token, err, next)
		}
	}
}
