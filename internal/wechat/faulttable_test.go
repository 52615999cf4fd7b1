package wechat_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// outcome is the result of a call while a fault lasts, and when it occurs once, each with the
// number of requests to WeChat.
type outcome struct {
	lasting error
	calls   int
	once    error
	again   int
}

var fine = outcome{nil, 1, nil, 1}

// single is a failure after which the call is not retried.
func single(err error) outcome { return outcome{err, 1, err, 1} }

// retried is a failure after which the call is retried. The retry succeeds if the fault occurs
// once.
func retried(err error) outcome { return outcome{err, 2, nil, 2} }

type faultRow struct {
	errcode int // of FaultErrCode
	slow    bool

	login, phone, token, check, reset, openapi outcome
}

// faultTable has every fault of the simulator for every call. A login spends a code, a phone
// code costs money, and a reset replaces a key. So only a stale token, which WeChat checks
// first, makes the client repeat them. The same applies to a call of an upstream, which gets
// WeChat's response, if there was one.
var faultTable = map[fault.Kind]faultRow{
	fault.Busy: {
		login: single(auth.ErrWeChatBusy), phone: single(auth.ErrWeChatBusy), token: retried(auth.ErrWeChatBusy),
		check: retried(auth.ErrWeChatBusy), reset: single(auth.ErrWeChatBusy), openapi: fine,
	},
	"errcode 40125": {
		errcode: 40125,
		login:   single(auth.ErrAppMisconfigured), phone: single(auth.ErrAppMisconfigured), token: single(auth.ErrAppMisconfigured),
		check: single(auth.ErrAppMisconfigured), reset: single(auth.ErrAppMisconfigured), openapi: fine,
	},
	"errcode 40001": { // at logins and token calls, this errcode is about the secret
		errcode: 40001,
		login:   single(auth.ErrAppMisconfigured), phone: retried(auth.ErrWeChatBusy), token: single(auth.ErrAppMisconfigured),
		check: retried(auth.ErrWeChatBusy), reset: retried(auth.ErrWeChatBusy), openapi: outcome{nil, 2, nil, 2},
	},
	"errcode 42001": {
		errcode: 42001,
		login:   single(auth.ErrWeChatBusy), phone: retried(auth.ErrWeChatBusy), token: single(auth.ErrWeChatBusy),
		check: retried(auth.ErrWeChatBusy), reset: retried(auth.ErrWeChatBusy), openapi: outcome{nil, 2, nil, 2},
	},
	fault.Quota: {
		login: single(auth.ErrWeChatBusy), phone: single(auth.ErrWeChatBusy), token: single(auth.ErrWeChatBusy),
		check: single(auth.ErrWeChatBusy), reset: single(auth.ErrWeChatBusy), openapi: fine,
	},
	fault.MinuteQuota: {
		login: single(auth.ErrRateLimited), phone: single(auth.ErrRateLimited), token: single(auth.ErrRateLimited),
		check: single(auth.ErrRateLimited), reset: single(auth.ErrRateLimited), openapi: fine,
	},
	fault.Timeout: {
		login: single(auth.ErrWeChatTimeout), phone: single(auth.ErrWeChatTimeout), token: single(auth.ErrWeChatTimeout),
		check: single(auth.ErrWeChatTimeout), reset: single(auth.ErrWeChatTimeout), openapi: single(auth.ErrWeChatTimeout),
	},
	fault.Reset: {
		login: single(auth.ErrWeChatUnreachable), phone: single(auth.ErrWeChatUnreachable), token: retried(auth.ErrWeChatUnreachable),
		check: retried(auth.ErrWeChatUnreachable), reset: single(auth.ErrWeChatUnreachable), openapi: single(auth.ErrWeChatUnreachable),
	},
	fault.HTML:     unreadable(fine),
	fault.HTTP500:  unreadable(fine),
	fault.Empty:    unreadable(fine),
	fault.Redirect: unreadable(fine),
	fault.Huge:     unreadable(fine),
	// A short response that ends early is detected before any of it is forwarded.
	fault.Truncated: unreadable(single(auth.ErrWeChatUnreadable)),
	fault.Slow:      {slow: true, login: fine, phone: fine, token: fine, check: fine, reset: fine, openapi: fine},
	fault.Control:   {login: fine, phone: fine, token: fine, check: fine, reset: fine, openapi: fine},
}

// image is the result of a call for an image. A fault that changes JSON replaces an image.
func (r faultRow) image() outcome {
	if r.check == fine && !r.slow {
		return retried(auth.ErrWeChatUnreadable)
	}
	return r.check
}

func unreadable(openapi outcome) faultRow {
	return faultRow{
		login: single(auth.ErrWeChatUnreadable), phone: single(auth.ErrWeChatUnreadable), token: retried(auth.ErrWeChatUnreadable),
		check: retried(auth.ErrWeChatUnreadable), reset: single(auth.ErrWeChatUnreadable), openapi: openapi,
	}
}

// faulted is a simulator, a client of it, and a user who is logged in.
type faulted struct {
	t      *testing.T
	app    string
	web    bool // the app's users log in on web pages
	sim    *wechatsim.Sim
	client *wechat.Client
	key    auth.SessionKey
}

func newFaulted(t *testing.T) *faulted {
	t.Helper()
	return newFaultedOn(t, wechatsim.DefaultApp)
}

func newFaultedOn(t *testing.T, app wechatsim.App) *faulted {
	t.Helper()
	server, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	// Like the client's transport, but with shorter timeouts.
	transport := &http.Transport{ResponseHeaderTimeout: 2 * time.Second, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := wechat.New(wechat.Config{
		Platform: wechat.Platform(app.Platform), AppID: auth.AppID(app.ID), Secret: app.Secret,
		API: server.URL + app.Platform.Prefix(), Transport: transport, MiniProgram: auth.AppID(app.MiniProgram),
		CheckPhone: app.Kind == "", Risk: riskOn(wechat.Platform(app.Platform), wechat.Kind(app.Kind)), Kind: wechat.Kind(app.Kind),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	f := &faulted{t: t, app: app.ID, web: app.Kind != "", sim: server.Sim, client: client}
	who, err := client.Exchange(t.Context(), f.code())
	if err != nil {
		t.Fatal(err)
	}
	f.key = auth.SessionKey{Key: who.SessionKey}
	return f
}

// riskOn returns the risk option, which only mini programs of WeChat have.
func riskOn(platform wechat.Platform, kind wechat.Kind) *wechat.RiskConfig {
	if platform != "" && platform != wechat.WeChat || kind != "" {
		return nil
	}
	return &wechat.RiskConfig{Scene: wechat.RiskUGC}
}

func (f *faulted) risk() error {
	_, err := f.client.Risk(f.t.Context(), alice, address)
	return err
}

func (f *faulted) code() string {
	f.t.Helper()
	if f.web {
		code, err := f.sim.MintWebCode(wechatsim.User{App: f.app}, simweb.Login{})
		if err != nil {
			f.t.Fatal(err)
		}
		return code.Code
	}
	code, err := f.sim.MintCode(wechatsim.User{App: f.app}, wechatsim.Login{SessionKey: "tiihtNczf5v6AKRyjwEUhQ=="})
	if err != nil {
		f.t.Fatal(err)
	}
	return code.Code
}

// charged are the faults after which a phone code may have cost something.
var charged = map[fault.Kind]bool{
	fault.Busy: true, fault.Timeout: true, fault.Reset: true, fault.HTML: true, fault.HTTP500: true,
	fault.Empty: true, fault.Redirect: true, fault.Huge: true, fault.Truncated: true,
}

func (f *faulted) phone() error {
	code, err := f.sim.MintPhoneCode(wechatsim.User{}, wechatsim.PhoneNumber{})
	if err != nil {
		f.t.Fatal(err)
	}
	_, err = f.client.PhoneNumber(f.t.Context(), code.Code, auth.OpenID(wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")))
	return err
}

func (f *faulted) checkPhone() error {
	sealed, err := f.sim.EncryptPhone(wechatsim.User{App: f.app}, wechatsim.PhoneNumber{}, wechatsim.Sealing{SessionKey: "tiihtNczf5v6AKRyjwEUhQ=="})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.client.CheckPhone(f.t.Context(), auth.OpenData{EncryptedData: sealed.EncryptedData, IV: sealed.IV})
}

func (f *faulted) miniProgramCode() error {
	_, _, err := f.client.MiniProgramCode(f.t.Context(), scene, "")
	return err
}

func (f *faulted) openapi() error {
	resp, err := f.client.Forward(f.t.Context(), wechat.Outgoing{Method: http.MethodGet, Path: "/wxa/checksession"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// TestFaultTable checks the error and the number of calls to WeChat for each fault.
func TestFaultTable(t *testing.T) {
	t.Parallel()
	alice := auth.OpenID(wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"))
	for kind, row := range faultTable {
		failing := fault.Fault{Kind: kind, ErrCode: row.errcode}
		if row.errcode != 0 {
			failing.Kind = fault.ErrCode
		}
		if kind == fault.Slow {
			failing.Delay = 100 * time.Millisecond
		}
		for _, c := range []struct {
			name, path string
			want       outcome
			call       func(*faulted) error
		}{
			{"login", loginPath, row.login, func(f *faulted) error { _, err := f.client.Exchange(f.t.Context(), f.code()); return err }},
			{"phone", phonePath, row.phone, (*faulted).phone},
			{"token", tokenPath, row.token, func(f *faulted) error { _, err := f.client.AccessTokens().Token(f.t.Context()); return err }},
			{"check", checkPath, row.check, func(f *faulted) error { return f.client.CheckSession(f.t.Context(), alice, f.key) }},
			{"check phone", knownPath, row.check, (*faulted).checkPhone},
			{"risk", riskPath, row.check, (*faulted).risk},
			{"addresses", addressesPath, row.check, func(f *faulted) error { _, err := f.client.CallbackAddresses(f.t.Context()); return err }},
			{"mini program code", codePath, row.image(), (*faulted).miniProgramCode},
			{"reset", resetPath, row.reset, func(f *faulted) error { _, err := f.client.ResetSessionKey(f.t.Context(), alice, f.key); return err }},
			{"openapi", checkPath, row.openapi, (*faulted).openapi},
		} {
			for times, want := range map[int]error{0: c.want.lasting, 1: c.want.once} {
				calls := c.want.calls
				name := string(kind) + " " + c.name + " lasting"
				if times == 1 {
					calls, name = c.want.again, string(kind)+" "+c.name+" once"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f := newFaulted(t)
					f.sim.ClearRequests()
					armed := failing
					armed.Path, armed.Times = c.path, times
					if err := f.sim.Arm(armed); err != nil {
						t.Fatal(err)
					}
					err := c.call(f)
					wantErr(t, err, want)
					if c.path == phonePath && err != nil {
						wantCharged(t, err, charged[kind])
					}
					if got := f.sim.Count(c.path); got != calls {
						t.Errorf("WeChat was called %d times, want %d", got, calls)
					}
				})
			}
		}
	}
}
