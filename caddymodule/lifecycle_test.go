package caddymodule_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

func (f *fixture) refresh(token string) response {
	f.t.Helper()
	return f.do("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
}

// TestRefresh uses refresh tokens in every way: a rotation, a retry after a lost response, and
// the reuse of an old token.
func TestRefresh(t *testing.T) {
	f := newFixture(t, site)
	login := f.login("alice")
	first := login.str(t, "refresh_token")

	second := f.refresh(first)
	second.want(t, http.StatusOK, "")
	again := f.refresh(first) // as after a lost response
	again.want(t, http.StatusOK, "")
	if second.str(t, "refresh_token") != again.str(t, "refresh_token") {
		t.Fatal("a repeated refresh got another successor")
	}
	third := f.refresh(second.str(t, "refresh_token"))
	third.want(t, http.StatusOK, "")
	access := "Bearer " + third.str(t, "access_token")
	f.do("GET", "/x", "", "Authorization", access).want(t, http.StatusOK, "")

	f.refresh(first).want(t, http.StatusUnauthorized, "refresh_reused")
	f.refresh(third.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
	f.do("GET", "/x", "", "Authorization", access).want(t, http.StatusUnauthorized, "session_revoked")
}

// TestHundredRefreshes sends a hundred concurrent requests with the same refresh token: all get
// the same successor, and the session does not end.
func TestHundredRefreshes(t *testing.T) {
	f := newFixture(t, site)
	token := f.login("alice").str(t, "refresh_token")
	responses := make([]response, 100)
	var group sync.WaitGroup
	for i := range responses {
		group.Go(func() {
			var err error
			if responses[i], err = f.try("POST", pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	successors := make(map[string]bool)
	for _, a := range responses {
		a.want(t, http.StatusOK, "")
		successors[a.str(t, "refresh_token")] = true
		f.do("GET", "/x", "", "Authorization", "Bearer "+a.str(t, "access_token")).want(t, http.StatusOK, "")
	}
	if len(successors) != 1 {
		t.Fatalf("%d successors, want 1", len(successors))
	}
	for successor := range successors {
		f.refresh(successor).want(t, http.StatusOK, "")
	}
}

// TestLogout ends one session, then all sessions of a user. Their access tokens are refused at
// once, cached or not.
func TestLogout(t *testing.T) {
	f := newFixture(t, site)
	one, two, bob := f.login("alice"), f.login("alice"), f.login("bob")
	bearer := func(a response) string { return "Bearer " + a.str(t, "access_token") }
	for _, a := range []response{one, two, bob} {
		f.do("GET", "/x", "", "Authorization", bearer(a)).want(t, http.StatusOK, "")
	}
	f.do("POST", pub+"/logout", "", "Authorization", bearer(one)).want(t, http.StatusNoContent, "")
	f.do("GET", "/x", "", "Authorization", bearer(one)).want(t, http.StatusUnauthorized, "session_revoked")
	f.refresh(one.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
	f.do("GET", "/x", "", "Authorization", bearer(two)).want(t, http.StatusOK, "")

	three := f.login("alice")
	f.do("POST", pub+"/logout", `{"all":true}`, "Authorization", bearer(two)).want(t, http.StatusNoContent, "")
	for _, a := range []response{two, three} {
		f.do("GET", "/x", "", "Authorization", bearer(a)).want(t, http.StatusUnauthorized, "session_revoked")
	}
	f.do("GET", "/x", "", "Authorization", bearer(bob)).want(t, http.StatusOK, "")
	f.do("GET", "/x", "", "Authorization", bearer(f.login("alice"))).want(t, http.StatusOK, "")
}

// TestLogoutAfterTheStoreForgot: sessions in memory are lost with the process, but their access
// tokens remain valid. A logout still revokes them.
func TestLogoutAfterTheStoreForgot(t *testing.T) {
	f := newFixture(t, siteWith{store: "memory"}.String())
	bearer, other := "Bearer "+f.token("alice"), "Bearer "+f.token("bob")
	f.stop()
	f.load()
	f.do("GET", "/orders", "", "Authorization", bearer).want(t, http.StatusOK, "")
	f.do("POST", pub+"/logout", "{}", "Authorization", bearer).want(t, http.StatusNoContent, "")
	f.do("GET", "/orders", "", "Authorization", bearer).want(t, http.StatusUnauthorized, "session_revoked")
	f.do("GET", "/orders", "", "Authorization", other).want(t, http.StatusOK, "")
	f.do("GET", "/orders", "", "Authorization", "Bearer "+f.token("alice")).want(t, http.StatusOK, "")
}

// TestRevoke revokes tokens (RFC 7009): the status is 200 for every token, and the session ends.
func TestRevoke(t *testing.T) {
	f := newFixture(t, site)
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for name, revoke := range map[string]func(login response) response{
		"refresh token, form": func(a response) response {
			return f.do("POST", pub+"/revoke", "token="+a.str(t, "refresh_token")+"&token_type_hint=refresh_token", form...)
		},
		"refresh token, JSON": func(a response) response {
			return f.do("POST", pub+"/revoke", fmt.Sprintf(`{"token":%q}`, a.str(t, "refresh_token")))
		},
		"access token": func(a response) response {
			return f.do("POST", pub+"/revoke", "token="+a.str(t, "access_token"), form...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			login := f.login("alice")
			revoke(login).want(t, http.StatusOK, "")
			f.do("GET", "/x", "", "Authorization", "Bearer "+login.str(t, "access_token")).want(t, http.StatusUnauthorized, "session_revoked")
			f.refresh(login.str(t, "refresh_token")).want(t, http.StatusUnauthorized, "session_revoked")
		})
	}
	f.do("POST", pub+"/revoke", "token=unknown", form...).want(t, http.StatusOK, "")
	f.do("POST", pub+"/revoke", "", form...).want(t, http.StatusBadRequest, "invalid_request")
}

// TestTwoLoginsThenDecode decodes data that was encrypted with the session_key of the first
// login, after a second login has replaced it: self-written backends often fail here.
func TestTwoLoginsThenDecode(t *testing.T) {
	f := newFixture(t, site)
	first := f.login("alice")
	sealed, err := f.sim.Sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	second := f.login("alice")
	for _, login := range []response{first, second} {
		body := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, login.str(t, "session_key"))
		f.do("POST", pub+"/decode", body).want(t, http.StatusOK, "")
	}
}

// streamEndsWithin is how soon a stream must end after its session.
const streamEndsWithin = time.Second

// TestStreamsEnd: a WebSocket and an event stream end with their session.
func TestStreamsEnd(t *testing.T) {
	f := newFixture(t, site)
	f.upstream.respondWith(streamUpstream)
	for name, open := range map[string]func(t *testing.T, bearer string) (ended <-chan time.Time){
		"websocket":    f.openWebSocket,
		"event stream": f.openEventStream,
	} {
		t.Run(name, func(t *testing.T) {
			bearer, other := "Bearer "+f.token("alice"), "Bearer "+f.token("alice")
			ended, stays := open(t, bearer), open(t, other)
			revoked := time.Now()
			f.do("POST", pub+"/logout", "", "Authorization", bearer).want(t, http.StatusNoContent, "")
			select {
			case at := <-ended:
				if took := at.Sub(revoked); took > streamEndsWithin {
					t.Errorf("the stream ended %v after its session", took)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the stream outlived its session")
			}
			select {
			case <-stays:
				t.Error("another session's stream ended too")
			default:
			}
		})
	}
}

var shortTokens = siteWith{wxgate: `		token {
			access 2s
		}`, sites: `
http://{{.Addr}} {
	wxgate
	reverse_proxy {{.Upstream}}
}`}.String()

// TestStreamsExpire: streams end when their tokens expire.
func TestStreamsExpire(t *testing.T) {
	f := newFixture(t, shortTokens)
	f.upstream.respondWith(streamUpstream)
	bearer := "Bearer " + f.token("alice")
	expires := time.Now().Add(2 * time.Second)
	for name, ended := range map[string]<-chan time.Time{
		"websocket":    f.openWebSocket(t, bearer),
		"event stream": f.openEventStream(t, bearer),
	} {
		select {
		case at := <-ended:
			if late := at.Sub(expires); late > streamEndsWithin {
				t.Errorf("the %s ended %v after its token", name, late)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the %s outlived its token", name)
		}
	}
}

// streamUpstream serves WebSockets, and an event stream to other requests, and keeps both
// open.
func streamUpstream(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: hello\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ctx := conn.CloseRead(context.Background())
	_ = conn.Write(ctx, websocket.MessageText, []byte("hello"))
	<-ctx.Done()
}

// openWebSocket opens a WebSocket and reads its greeting. The channel receives the time when
// the WebSocket ends.
func (f *fixture) openWebSocket(t *testing.T, bearer string) <-chan time.Time {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+f.addr+"/socket", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {bearer}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		_, _, _ = conn.Read(context.Background())
		ended <- time.Now()
	}()
	return ended
}

func (f *fixture) openEventStream(t *testing.T, bearer string) <-chan time.Time {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", bearer)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	body := bufio.NewReader(response.Body)
	if line, err := body.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: hello") {
		t.Fatalf("%q, %v", line, err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		for {
			if _, err := body.ReadString('\n'); err != nil {
				if errors.Is(err, context.Canceled) {
					return
				}
				ended <- time.Now()
				return
			}
		}
	}()
	return ended
}

// TestForgedRefresh forges a refresh token from the session ID, which every upstream knows. The
// forged token is refused, and the session does not end.
func TestForgedRefresh(t *testing.T) {
	f := newFixture(t, site)
	token := f.login("alice").str(t, "refresh_token")
	issued, err := auth.ParseRefreshToken(token)
	if err != nil {
		t.Fatal(err)
	}
	forged := auth.NewRefreshToken(issued.Session).String()
	f.refresh(forged).want(t, http.StatusUnauthorized, "invalid_token")
	f.do("POST", pub+"/revoke", fmt.Sprintf(`{"token":%q}`, forged)).want(t, http.StatusOK, "")
	f.refresh(token).want(t, http.StatusOK, "")
}
