package wechat_test

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// siblingCalls are the two calls that each sibling has: a login, which spends a code and is
// repeated only after a stale token, and a token call, which may be repeated.
var siblingCalls = map[wechatsim.Platform]struct {
	login, token string
	quota        error // the error for an exhausted quota; without a separate code it is busy
	stale        []int // codes that refuse a token at the login
	secret       int   // the code for a wrong secret
}{
	wechatsim.QQ: {
		login: "/qq/sns/jscode2session", token: "/qq/api/getToken", quota: auth.ErrRateLimited, secret: -101222100,
	},
	wechatsim.Douyin: {
		login: "/douyin/api/apps/v2/jscode2session", token: "/douyin/api/apps/v2/token", quota: auth.ErrWeChatBusy, secret: 40017,
	},
	wechatsim.Kuaishou: {
		login: "/kuaishou/oauth2/mp/code2session", token: "/kuaishou/oauth2/access_token", quota: auth.ErrWeChatBusy, secret: 100200101,
	},
	wechatsim.Xiaohongshu: {
		login: "/xiaohongshu/api/rmp/session", token: "/xiaohongshu/api/rmp/token", quota: auth.ErrWeChatBusy, stale: []int{410101},
	},
	wechatsim.WeCom: {
		login: "/wecom/cgi-bin/miniprogram/jscode2session", token: "/wecom/cgi-bin/gettoken", quota: auth.ErrRateLimited,
		stale: []int{40014, 42001}, secret: 40001,
	},
}

// siblingFault is a fault and the outcome of both calls.
type siblingFault struct {
	fault.Fault

	login, token outcome
}

func siblingFaults(p wechatsim.Platform) []siblingFault {
	facts := siblingCalls[p]
	busy := siblingFault{login: single(auth.ErrWeChatBusy), token: retried(auth.ErrWeChatBusy)}
	quota := busy
	if facts.quota != auth.ErrWeChatBusy { //nolint:errorlint // the sentinel itself
		quota = siblingFault{login: single(facts.quota), token: single(facts.quota)}
	}
	garbled := siblingFault{login: single(auth.ErrWeChatUnreadable), token: retried(auth.ErrWeChatUnreadable)}
	good := siblingFault{login: fine, token: fine}
	of := func(f siblingFault, kind fault.Kind) siblingFault {
		f.Kind = kind
		return f
	}
	rows := []siblingFault{
		of(busy, fault.Busy), of(quota, fault.Quota), of(quota, fault.MinuteQuota),
		of(siblingFault{login: single(auth.ErrWeChatTimeout), token: single(auth.ErrWeChatTimeout)}, fault.Timeout),
		of(siblingFault{login: single(auth.ErrWeChatUnreachable), token: retried(auth.ErrWeChatUnreachable)}, fault.Reset),
		of(garbled, fault.HTML), of(garbled, fault.HTTP500), of(garbled, fault.Empty),
		of(garbled, fault.Redirect), of(garbled, fault.Huge), of(garbled, fault.Truncated),
		of(good, fault.Control),
		{Fault: fault.Fault{Kind: fault.Slow, Delay: 100 * time.Millisecond}, login: fine, token: fine},
		{
			Fault: fault.Fault{Kind: fault.ErrCode, ErrCode: 987654, AsString: true},
			login: single(auth.ErrWeChatUnreadable), token: single(auth.ErrWeChatUnreadable),
		},
	}
	for _, code := range facts.stale {
		rows = append(rows, siblingFault{
			Fault: fault.Fault{Kind: fault.ErrCode, ErrCode: code},
			login: retried(auth.ErrWeChatBusy), token: single(auth.ErrWeChatBusy),
		})
	}
	if facts.secret != 0 {
		rows = append(rows, siblingFault{
			Fault: fault.Fault{Kind: fault.ErrCode, ErrCode: facts.secret},
			login: single(auth.ErrAppMisconfigured), token: single(auth.ErrAppMisconfigured),
		})
	}
	return rows
}

// TestSiblingFaultTable is TestFaultTable for the other platforms: expected error,
// expected number of calls.
func TestSiblingFaultTable(t *testing.T) {
	t.Parallel()
	for _, app := range wechatsim.Siblings() {
		facts := siblingCalls[app.Platform]
		for _, row := range siblingFaults(app.Platform) {
			for _, c := range []struct {
				name, path string
				want       outcome
				call       func(*faulted) error
			}{
				{"login", facts.login, row.login, func(f *faulted) error { _, err := f.client.Exchange(f.t.Context(), f.code()); return err }},
				{"token", facts.token, row.token, func(f *faulted) error { _, err := f.client.AccessTokens().Token(f.t.Context()); return err }},
			} {
				checkSiblingFault(t, app, row.Fault, c.path, "lasting", c.name, c.want.lasting, c.want.calls, c.call)
				if c.want.calls > 1 { // otherwise one fault has the same effect as a lasting fault
					once := row.Fault
					once.Times = 1
					checkSiblingFault(t, app, once, c.path, "once", c.name, c.want.once, c.want.again, c.call)
				}
			}
		}
	}
}

func checkSiblingFault(t *testing.T, app wechatsim.App, armed fault.Fault, path, how, name string, want error, calls int, call func(*faulted) error) {
	t.Helper()
	t.Run(string(app.Platform)+" "+string(armed.Kind)+" "+name+" "+how, func(t *testing.T) {
		t.Parallel()
		f := newFaultedOn(t, app)
		if token, err := f.client.AccessTokens().Token(t.Context()); name == "token" && err == nil {
			f.client.AccessTokens().Invalidate(token) // the next call must fetch a token
		}
		f.sim.ClearRequests()
		armed.Path = path
		if err := f.sim.Arm(armed); err != nil {
			t.Fatal(err)
		}
		wantErr(t, call(f), want)
		if got := f.sim.Count(path); got != calls {
			t.Errorf("the platform was called %d times, want %d", got, calls)
		}
	})
}
