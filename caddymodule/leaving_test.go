package caddymodule_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// quietSite is a gateway whose log is as Caddy has it by default, in a file; it
// speaks HTTP/2 without TLS besides, and has a way in that is not guarded.
const quietSite = `
{
	admin off
	persist_config off
	storage file_system {{.Dir}}/caddy
	log {
		output file {{.Dir}}/log
	}
	servers {
		protocols h1 h2c
	}
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		store memory
	}
}
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}}
}
http://{{.Plain}} {
	reverse_proxy {{.Upstream}}
}
`

// Answers that a client leaves in the middle of.
var leavings = map[string]http.HandlerFunc{
	// The upstream is silent when the client goes: the gateway learns it reading.
	"an idle stream": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	},
	// The upstream goes on and on: the gateway learns it reading or writing.
	"a long answer": func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 64<<10); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	},
}

// log is what the gateway wrote into the file "log".
func (f *fixture) log() string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "log"))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// leave begins to read an answer, goes away, and waits until the upstream has
// learnt of it, which means that its connection is free.
func (f *fixture) leave(client *http.Client, url string, serve http.HandlerFunc, header ...string) {
	f.t.Helper()
	free := make(chan struct{})
	f.upstream.answerWith(func(w http.ResponseWriter, r *http.Request) {
		defer close(free)
		serve(w, r)
	})
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := response.Body.Read(make([]byte, 1)); err != nil || response.StatusCode != http.StatusOK {
		f.t.Fatalf("%d, %v", response.StatusCode, err)
	}
	cancel()
	select {
	case <-free:
	case <-time.After(20 * time.Second):
		f.t.Fatal("the upstream's connection is held after the client left")
	}
}

// endStream opens a stream, logs out, and waits until the gateway has cut it.
func (f *fixture) endStream(client *http.Client, user string) {
	f.t.Helper()
	f.upstream.answerWith(leavings["an idle stream"])
	token := f.token(user)
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.url+"/events", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	f.do("POST", pub+"/logout", "", "Authorization", "Bearer "+token).want(f.t, http.StatusNoContent, "")
	if text, err := io.ReadAll(response.Body); err == nil {
		f.t.Errorf("the stream ended as if it were whole: %q", text)
	}
}

// TestClientsWhoLeaveStayOutOfTheLog: reverse_proxy warns of an answer that it
// cannot finish, and writes the upstream's request into the line. A client that
// leaves, which is nothing to warn of, would have the openid in every such log, and
// so would a session that is revoked while its stream is open.
// The way without wxgate shows that Caddy does warn.
func TestClientsWhoLeaveStayOutOfTheLog(t *testing.T) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	for version, transport := range map[string]*http.Transport{"HTTP/1.1": {}, "HTTP/2": {Protocols: protocols}} {
		for name, serve := range leavings {
			t.Run(name+" over "+version, func(t *testing.T) {
				f := newFixture(t, quietSite)
				defer transport.CloseIdleConnections()
				client := &http.Client{Transport: transport}
				f.leave(client, f.url+"/orders", serve, "Authorization", "Bearer "+f.token("alice"))
				f.endStream(client, "bob")
				f.leave(client, "http://"+f.plain+"/orders", serve, "X-Control", "seen")
				eventually(t, "a warning of the control", func() bool { return strings.Contains(f.log(), "X-Control") })
				for _, user := range []string{"alice", "bob"} {
					if text := f.log(); strings.Contains(text, wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, user)) {
						t.Errorf("the log tells %s's openid:\n%s", user, text)
					}
				}
			})
		}
	}
}
