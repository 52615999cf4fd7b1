package wechat_test

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// pick opens the page of a login as a browser does, as a user, and returns the code that the
// page returns to the callback.
func pick(t *testing.T, page string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
	wantErr(t, err, nil)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	wantErr(t, err, nil)
	defer response.Body.Close()
	back, err := response.Location()
	if err != nil || back.Path != "/callback" || back.Query().Get("state") != "s" {
		t.Fatalf("status %d to %v, %v", response.StatusCode, back, err)
	}
	return back.Query().Get("code")
}

// TestWebLoginWithSimulator logs a user in at both kinds of apps. The simulator, which was
// written from the same documentation, accepts the client's requests.
func TestWebLoginWithSimulator(t *testing.T) {
	t.Parallel()
	server, err := simserver.Start(t.Context(), wechatsim.Config{})
	wantErr(t, err, nil)
	t.Cleanup(func() { _ = server.Close() })
	_, err = server.Sim.MintCode(wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-alice"})
	wantErr(t, err, nil)
	apps := wechatsim.WebApps()
	for _, test := range []struct {
		name    string
		app     wechatsim.App
		scope   string
		more    string // of the page
		late    bool   // only userinfo has the unionid
		unionid auth.UnionID
		err     error
	}{
		{"official", apps[0], simweb.ScopeUserInfo, "", false, "union-alice", nil},
		{"official, older", apps[0], simweb.ScopeUserInfo, "", true, "union-alice", nil},
		{"official, base", apps[0], simweb.ScopeBase, "", true, "", nil},
		{"official, snapshot", apps[0], simweb.ScopeUserInfo, "&snapshot=1", false, "", auth.ErrSnapshotUser},
		{"website", apps[1], simweb.ScopeLogin, "", false, "union-alice", nil},
		{"website, older", apps[1], simweb.ScopeLogin, "", true, "union-alice", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := wechat.New(wechat.Config{AppID: auth.AppID(test.app.ID), Secret: test.app.Secret, Kind: wechat.Kind(test.app.Kind), API: server.URL})
			wantErr(t, err, nil)
			t.Cleanup(client.Close)
			wantErr(t, server.Sim.SetUserInfoOnly(test.app.ID, test.late), nil)
			page := simweb.As(client.AuthorizeURL("http://127.0.0.1/callback", test.scope, "s"), "alice")
			code := pick(t, strings.Replace(page, "&user=", test.more+"&user=", 1))
			got, err := client.Exchange(t.Context(), code)
			if !errors.Is(err, test.err) || got.UnionID != test.unionid {
				t.Fatalf("%+v, %v", got, err)
			}
			if err == nil && string(got.OpenID) != wechatsim.OpenIDFor(test.app.ID, "alice") {
				t.Errorf("openid %q", got.OpenID)
			}
			if _, err := client.Exchange(t.Context(), code); !errors.Is(err, auth.ErrCodeUsed) {
				t.Errorf("a used code: %v", err)
			}
		})
	}
}

// TestMiniProgramCodeWithSimulator gets an image with a plain and with an encrypted call.
func TestMiniProgramCodeWithSimulator(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	image, kind, err := s.client.MiniProgramCode(t.Context(), "encrypted", "pages/scan/scan")
	wantErr(t, err, nil)
	if _, err := jpeg.Decode(bytes.NewReader(image)); err != nil || kind != "image/jpeg" {
		t.Errorf("%s of %d bytes: %v", kind, len(image), err)
	}
	if got := s.outcomes(); got != "verified" {
		t.Errorf("outcomes: %s", got)
	}
	server, err := simserver.Start(t.Context(), wechatsim.Config{})
	wantErr(t, err, nil)
	t.Cleanup(func() { _ = server.Close() })
	client, err := wechat.New(wechat.Config{AppID: auth.AppID(wechatsim.DefaultApp.ID), Secret: wechatsim.DefaultApp.Secret, API: server.URL})
	wantErr(t, err, nil)
	t.Cleanup(client.Close)
	plain, kind, err := client.MiniProgramCode(t.Context(), "plain", "")
	wantErr(t, err, nil)
	if _, err := jpeg.Decode(bytes.NewReader(plain)); err != nil || kind != "image/jpeg" {
		t.Errorf("%s of %d bytes: %v", kind, len(plain), err)
	}
	for sim, want := range map[*wechatsim.Sim]string{s.sim: "encrypted", server.Sim: "plain"} {
		if made := sim.ProgramCodes(); len(made) != 1 || made[0].Scene != want {
			t.Errorf("%+v", made)
		}
	}
}

// TestWebFaultTable is TestFaultTable for logins on web pages, with every fault at each of
// their calls. No code is sent twice. The profile, which is only read, is requested twice at
// most.
func TestWebFaultTable(t *testing.T) {
	t.Parallel()
	for kind, row := range faultTable {
		user := row.token
		if row.errcode == 40001 { // this errcode is about the user's token, not the secret
			user = single(auth.ErrWeChatBusy)
		}
		for path, want := range map[string]outcome{webLoginPath: row.login, webUserPath: user} {
			for times, outcome := range map[int]error{0: want.lasting, 1: want.once} {
				armed := fault.Fault{Kind: kind, ErrCode: row.errcode, Path: path, Times: times}
				if row.errcode != 0 {
					armed.Kind = fault.ErrCode
				}
				if kind == fault.Slow {
					armed.Delay = 100 * time.Millisecond
				}
				calls := want.calls
				if times == 1 {
					calls = want.again
				}
				t.Run(fmt.Sprint(kind, " ", path, " ", times), func(t *testing.T) {
					t.Parallel()
					testWebFault(t, armed, outcome, calls)
				})
			}
		}
	}
}

func testWebFault(t *testing.T, armed fault.Fault, want error, calls int) {
	app := wechatsim.WebApps()[0] // a website makes the same calls
	f := newFaultedOn(t, app)
	wantErr(t, f.sim.SetUserInfoOnly(app.ID, true), nil)
	_, err := f.sim.MintCode(wechatsim.User{}, wechatsim.Login{UnionID: "u1"}) // of the same user
	wantErr(t, err, nil)
	f.sim.ClearRequests()
	wantErr(t, f.sim.Arm(armed), nil)
	who, err := f.client.Exchange(t.Context(), f.code())
	if wantErr(t, err, want); (who.UnionID != "") != (err == nil) || (who.OpenID != "") != (err == nil) {
		t.Errorf("%+v and error %v", who, err)
	}
	if got := f.sim.Count(armed.Path); got != calls {
		t.Errorf("WeChat was called %d times, want %d", got, calls)
	}
	if got := f.sim.Count(webLoginPath); armed.Path == webUserPath && got != 1 {
		t.Errorf("the code was sent %d times", got)
	}
}
