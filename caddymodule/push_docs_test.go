package caddymodule_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// tap forwards requests to a service, and records them.
type tap struct {
	t      *testing.T
	target string
	mu     sync.Mutex
	got    []pushed
}

func newTap(t *testing.T, target string) (tapped *tap, addr string) {
	t.Helper()
	tapped = &tap{t: t, target: target}
	server := httptest.NewServer(tapped)
	t.Cleanup(server.Close)
	return tapped, strings.TrimPrefix(server.URL, "http://")
}

func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	message := pushed{r.Header, string(body)}
	p.mu.Lock()
	p.got = append(p.got, message)
	p.mu.Unlock()
	w.WriteHeader(message.post(p.t, p.target))
}

func (p *tap) last() pushed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got[len(p.got)-1]
}

// post sends the message to a service, and returns the status.
func (m pushed) post(t *testing.T, url string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(m.body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, m.header) // keeps the spelling of names
	response, err := client.Do(r)
	if err != nil {
		return http.StatusBadGateway
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// TestPushReceivers runs the receivers of docs/verify.md with the configuration of docs/wechat.md.
// They process each of WeChat's pushes once, and nothing else: a user who sends the same JSON to
// the same path through the site cannot impersonate WeChat.
func TestPushReceivers(t *testing.T) {
	eachReceiver(t, "verify.md", testPushReceiver)
}

const pushIssuer = "https://api.example.com"

// receiverSite returns the configuration of docs/wechat.md for a service behind a tap. Clients
// reach the service through the site too, with assertions for another audience.
func receiverSite(t *testing.T, alg, service string) string {
	t.Helper()
	t.Setenv("WX_PUSH_TOKEN", pushToken)
	t.Setenv("WX_PUSH_KEY", pushKey)
	config := guideCaddyfile(t, "wechat.md", "## Messages to your services")
	for _, part := range []struct{ old, replacement string }{
		{"{{.Upstream}}/wechat", service + "/wechat"},
		{"reverse_proxy {{.Upstream}}", "reverse_proxy " + service},
		{"token {\n", "token {\n\t\t\talg " + alg + "\n"},
		{"\twxgate\n", "\twxgate {\n\t\theaders {\n\t\t\tassertion X-WX-ASSERTION orders\n\t\t}\n\t}\n"},
	} {
		if strings.Count(config, part.old) != 1 {
			t.Fatalf("want %q exactly once in the configuration:\n%s", part.old, config)
		}
		config = strings.Replace(config, part.old, part.replacement, 1)
	}
	return config
}

func testPushReceiver(t *testing.T, alg string, command []string) {
	listen := freeAddr(t)
	tapped, addr := newTap(t, "http://"+listen+"/wechat")
	f := newStoppedFixture(t, simConfig(), receiverSite(t, alg, addr))
	f.load()
	env := []string{"ISSUER=" + pushIssuer, "AUDIENCE=http://" + addr + "/wechat", "JWKS=" + f.url + "/.well-known/jwks.json"}
	out := startReceiver(t, command, listen, env...)
	alice := wechatsim.OpenIDFor(pushedApp, "alice")
	text := strings.Replace(customerText(alice, "1", "hi"), `"text"`, `"image"`, 1)
	f.wantPushed(text)
	line := "from " + alice + ": " + text
	eventually(t, "the receiver prints the message", func() bool { return strings.Contains(out.String(), line) })
	genuine := tapped.last()
	if status := genuine.post(t, "http://"+listen+"/wechat"); status != http.StatusOK {
		t.Errorf("a repetition: %d", status)
	}
	access := f.login("alice").str(t, "access_token")
	wantImpostorsRefused(t, f, tapped, genuine, access)
	for what, forged := range map[string]pushed{
		"no assertion":         {http.Header{"X-Wx-Source": {"wx_push"}}, text},
		"an access token":      {http.Header{"X-Wx-Assertion": {access}}, text},
		"another body":         {genuine.header, strings.Replace(text, "hi", "ho", 1)},
		"a client's assertion": {http.Header{"X-Wx-Assertion": tapped.last().header["X-Wx-Assertion"], "X-Wx-Source": {"wx_push"}}, text},
		"a changed signature":  {http.Header{"X-Wx-Assertion": {genuine.header.Get("X-WX-ASSERTION") + "A"}}, text},
		"without a signature":  {http.Header{"X-Wx-Assertion": {strings.Join(strings.Split(genuine.header.Get("X-WX-ASSERTION"), ".")[:2], ".") + "."}}, text},
		"not even three parts": {http.Header{"X-Wx-Assertion": {"x"}}, text},
	} {
		if status := forged.post(t, "http://"+listen+"/wechat"); status != http.StatusForbidden {
			t.Errorf("%s: %d", what, status)
		}
	}
	if n := strings.Count(out.String(), "from "); n != 1 {
		t.Errorf("%d messages were processed: %s", n, out)
	}
	if alg != "EdDSA" {
		return // the rest starts more processes; one algorithm is enough
	}
	for _, other := range []string{"AUDIENCE=https://elsewhere.example.com", "ISSUER=https://elsewhere.example.com"} {
		elsewhere := freeAddr(t)
		startProgram(t, command, append(slices.Clip(env), "LISTEN="+elsewhere, other))
		eventually(t, other, func() bool { return genuine.post(t, "http://"+elsewhere+"/wechat") == http.StatusForbidden })
	}
}

// wantImpostorsRefused sends the JSON of a push through the site as a user who is logged in, with
// the headers of the push in many spellings.
func wantImpostorsRefused(t *testing.T, f *fixture, tapped *tap, genuine pushed, access string) {
	t.Helper()
	assertion := genuine.header.Get("X-WX-ASSERTION")
	for _, spelling := range []string{"X-WX-%s", "x-wx-%s", "X-Wx-%s", "X_WX_%s", "X-WX_%s", "X.WX.%s"} {
		source, asserted := fmt.Sprintf(spelling, "SOURCE"), fmt.Sprintf(spelling, "ASSERTION")
		impostor := pushed{http.Header{
			"Authorization": {"Bearer " + access}, "Content-Type": {"application/json"},
			source: {"wx_push"}, asserted: {assertion},
		}, genuine.body}
		if status := impostor.post(t, f.url+"/wechat"); status != http.StatusForbidden {
			t.Errorf("%s through the site: %d", source, status)
		}
		got := tapped.last()
		for name, values := range got.header {
			switch folded := strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(name)); {
			case folded == "xwxsource" && fmt.Sprint(values) != "[wx_client]",
				folded == "xwxassertion" && (len(values) != 1 || values[0] == assertion):
				t.Errorf("%s: the service got %s: %v", source, name, values)
			}
		}
	}
}
