package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var reloadSite = siteWith{wxgate: `		token {
			%s
		}`, sites: `
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}} {
		stream_close_delay 1m
		# An old configuration's idle connections go soon, not after 2 minutes.
		transport http {
			keepalive 1s
		}
	}
}`}.String()

func noBody() string { return "" }

// reloads is how often the test below reloads: often enough to notice a leak in each reload.
const reloads = 100

// TestReloadUnderLoad reloads a hundred times with changes of alg, issuer and access, while clients
// send requests, log in, refresh and have a WebSocket open. No request fails, no session ends,
// revoked tokens remain revoked, and nothing leaks.
func TestReloadUnderLoad(t *testing.T) {
	f := newStoppedFixture(t, simConfig(), "")
	settings := []string{"alg EdDSA", "alg ES256\n\t\t\taccess 10m", "issuer elsewhere", "alg EdDSA\n\t\t\taudience a b\n\t\t\taccess 20m", "alg HS256"}
	configure := func(i int) { f.config = fmt.Sprintf(reloadSite, settings[i%len(settings)]) }
	configure(0)
	f.load()

	f.upstream.respondWith(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			streamUpstream(w, r)
		}
	})
	early := f.login("alice")
	earlyBearer := "Bearer " + early.str(t, "access_token")
	revoked := "Bearer " + f.token("mallory")
	f.do("POST", pub+"/logout", "", "Authorization", revoked).want(t, http.StatusNoContent, "")
	socket := f.openWebSocket(t, earlyBearer)
	configure(1)
	f.load() // allocations of the first reload are not leaks
	before := resources(t)

	stop := make(chan struct{})
	var calls atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { f.hammer(t, stop, &calls, earlyBearer) })
	}
	group.Go(func() { f.refreshAlong(t, stop, early.str(t, "refresh_token")) })
	for i := range reloads {
		configure(i + 2)
		f.load()
		a, err := f.persist("GET", "/x", noBody, "Authorization", revoked)
		if err != nil {
			t.Fatal(err)
		}
		a.want(t, http.StatusUnauthorized, "session_revoked")
	}
	close(stop)
	group.Wait()

	select {
	case <-socket:
		t.Error("a reload closed an open WebSocket")
	default:
	}
	f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", earlyBearer).want(t, http.StatusNoContent, "")
	select {
	case <-socket:
	case <-time.After(streamEndsWithin):
		t.Error("a WebSocket from before the reloads outlived its session")
	}
	t.Logf("%d reloads, %d calls, none failed", reloads, calls.Load())
	before.wantNoMore(t)
}

// hammer sends requests until stop, and sometimes a login.
func (f *fixture) hammer(t *testing.T, stop <-chan struct{}, calls *atomic.Int64, bearer string) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		a, err := f.persist("GET", "/x", noBody, "Authorization", bearer)
		if err != nil || a.status != http.StatusOK {
			t.Errorf("call %d: %d %s %v", i, a.status, a.body, err)
			return
		}
		calls.Add(1)
		if i%20 == 0 {
			code := func() string { return fmt.Sprintf(`{"code":%q}`, f.code("bob")) }
			if a, err = f.persist("POST", pub+"/openId", code); err != nil || a.status != http.StatusOK {
				t.Errorf("login: %d %s %v", a.status, a.body, err)
				return
			}
		}
	}
}

// refreshAlong refreshes one session until stop, and uses each new access token.
func (f *fixture) refreshAlong(t *testing.T, stop <-chan struct{}, token string) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
		a, err := f.persist("POST", pub+"/refresh", func() string { return fmt.Sprintf(`{"refresh_token":%q}`, token) })
		if err != nil || a.status != http.StatusOK {
			t.Errorf("refresh: %d %s %v", a.status, a.body, err)
			return
		}
		var pair struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if err := json.Unmarshal([]byte(a.body), &pair); err != nil {
			t.Error(err)
			return
		}
		token = pair.Refresh
		if a, err = f.persist("GET", "/x", noBody, "Authorization", "Bearer "+pair.Access); err != nil || a.status != http.StatusOK {
			t.Errorf("a fresh token: %d %s %v", a.status, a.body, err)
			return
		}
	}
}

// usage counts resources that a leak would increase.
type usage struct{ goroutines, files int }

func resources(t *testing.T) usage {
	t.Helper()
	client.CloseIdleConnections()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{runtime.NumGoroutine(), len(files)}
}

// wantNoMore waits until the process uses about as many resources as before. Keep-alive connections
// and Caddy's goroutines vary; a leak only grows.
func (u usage) wantNoMore(t *testing.T) {
	t.Helper()
	const slack = 50 // less than one for every second reload
	var now usage
	t.Cleanup(func() {
		t.Logf("goroutines %d, then %d; file handles %d, then %d", u.goroutines, now.goroutines, u.files, now.files)
		if t.Failed() {
			stacks := make([]byte, 1<<20)
			t.Log(commonest(string(stacks[:runtime.Stack(stacks, true)])))
		}
	})
	eventually(t, "the numbers of goroutines and file handles are as before", func() bool {
		now = resources(t)
		return now.goroutines <= u.goroutines+slack && now.files <= u.files+slack
	})
}

// commonest counts goroutines by the function that created them.
func commonest(stacks string) string {
	counts := make(map[string]int)
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if _, from, ok := strings.Cut(stack, "created by "); ok {
			name, _, _ := strings.Cut(from, "\n")
			counts[name]++
		}
	}
	var b strings.Builder
	for name, n := range counts {
		fmt.Fprintf(&b, "%4d %s\n", n, name)
	}
	return b.String()
}
