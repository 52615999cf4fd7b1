package gateway

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

const (
	riskPath    = "/wxa/getuserriskrank"
	underscored = "X_rank" // some servers read it as X-Rank
)

// newRiskySite returns a site with paths for low risks, and a header with the rank. Users of
// the second app need no rank. Logins of the first app request it.
func newRiskySite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, func(_ *site, c *Config) {
		headers, err := edge.NewHeaders(edge.Names{Risk: "X-Rank"})
		if err != nil {
			t.Fatal(err)
		}
		unranked := map[auth.AppID]struct{}{auth.AppID(second.ID): {}}
		c.Guard.Edge.Headers, c.Guard.Public = headers, pathSet(t, "/public/*")
		c.Guard.Require = []Requirement{
			{What: AttributeRisk, MaxRank: 2, Unranked: unranked, Paths: pathSet(t, "/two/*", "/public/two").Lenient()},
			{What: AttributeRisk, MaxRank: 0, Unranked: unranked, Paths: pathSet(t, "/none").Lenient()},
		}
	})
	client, err := wechat.New(wechat.Config{AppID: auth.AppID(first.ID), Secret: first.Secret, API: s.api, Risk: &wechat.RiskConfig{Scene: wechat.RiskMarketing}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.runtime.Service = auth.NewService(auth.Config{
		Apps: map[auth.AppID]auth.Platform{auth.AppID(first.ID): client}, Tokens: s.runtime.Tokens, Store: s.runtime.Store, Revocations: s.runtime.Revocations,
		Access: time.Hour, Refresh: time.Hour, Idle: time.Hour,
	})
	return s
}

// token returns an access token of alice in an app, with a risk.
func (s *site) token(app wechatsim.App, risk auth.Risk) string {
	s.t.Helper()
	user := auth.User{App: auth.AppID(app.ID), OpenID: "oALICE"}
	now := time.Now()
	raw, err := s.runtime.Tokens.Issue(auth.Identity{User: user, Session: auth.NewSessionID(now, user), Risk: risk, IssuedAt: now, Expires: now.Add(time.Hour)})
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// TestRequireRisk: a rank above the limit is refused, and a rank equal to it passes, with every
// spelling of a path. A refusal does not show whether the client has a rank.
func TestRequireRisk(t *testing.T) {
	t.Parallel()
	s := newRiskySite(t)
	var refusal string
	for _, test := range []struct {
		path string
		app  wechatsim.App
		risk auth.Risk // a rank and 1; 0 for unknown
		ok   bool
	}{
		{"/two/a", first, 1, true},
		{"/two/a", first, 3, true},
		{"/two/a", first, 4, false},
		{"/two/a", first, 5, false},
		{"/two/a", first, 0, false},
		{"/TWO/a", first, 4, false},
		{"/two.php/a", first, 4, false}, // PHP reads /two
		{"/two/a.php", first, 4, false},
		{"/public/two", first, 4, false},
		{"/none", first, 1, true},
		{"/none", first, 2, false},
		{"/none/", first, 2, false},
		{"/two/a", second, 0, true},
		{"/two/a", second, 4, false},
		{"/orders", first, 5, true},
		{"/orders", first, 0, true},
	} {
		r := s.do(http.MethodGet, test.path, "", "Authorization", "Bearer "+s.token(test.app, test.risk), "X-Rank", "0", underscored, "0")
		if (s.passed != nil) != test.ok {
			t.Errorf("%s, risk %s: reached the upstream: %t; %d %s", test.path, test.risk, s.passed != nil, r.status, r.body)
			continue
		}
		if test.ok {
			if got := strings.Join(s.passed.Header["X-Rank"], " "); got != test.risk.Digit() || s.passed.Header[underscored] != nil {
				t.Errorf("%s, risk %s: the upstream got %q", test.path, test.risk, got)
			}
			continue
		}
		r.want(http.StatusForbidden, "risk_too_high")
		if refusal == "" {
			refusal = r.body
		}
		if r.body != refusal || s.shown["user"] == "" {
			t.Errorf("%s, risk %s: %s; another was refused with %s", test.path, test.risk, r.body, refusal)
		}
	}
	s.do(http.MethodGet, "/public/two", "").want(http.StatusUnauthorized, "missing_token")
}

// TestLoginAsksForRisk logs in, and checks that no response to the client contains the rank.
func TestLoginAsksForRisk(t *testing.T) {
	t.Parallel()
	s := newRiskySite(t)
	var acts []audit.Event
	s.runtime.Audit = func(e audit.Event) { acts = append(acts, e) }
	lines := s.observe()
	if err := s.sim.SetRiskRank(alice, 3); err != nil {
		t.Fatal(err)
	}
	ranked := func(rank string) float64 {
		return valueOf(t, metrics.LoginRisks.WithLabelValues(first.ID, rank))
	}
	before := ranked("3")
	login := s.login(first)
	if sent := s.sim.Requests(riskPath); len(sent) != 1 || !strings.Contains(sent[0].Body, `"scene":1,"client_ip":"192.0.2.1"`) || strings.Contains(sent[0].Body, "is_test") {
		t.Errorf("WeChat got %+v", sent)
	}
	bearer := []string{"Authorization", "Bearer " + login.get("access_token")}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(login.get("access_token"), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	session := s.do(http.MethodGet, pub+"/session", "", bearer...)
	for what, text := range map[string]string{"login": login.body, "session": session.body, "token": string(payload)} {
		if strings.Contains(text, "risk") || strings.Contains(text, `"3"`) || strings.Contains(text, ":3,") || strings.Contains(text, ":3}") {
			t.Errorf("the %s has the rank: %s", what, text)
		}
	}
	if got := ranked("3"); got < before+1 || len(acts) != 1 || acts[0].Risk != "3" || strings.Contains(acts[0].UserID, wechatsim.OpenIDFor(first.ID, "alice")) {
		t.Errorf("counted %v after %v, recorded %+v", got, before, acts)
	}
	s.do(http.MethodGet, "/two/a", "", bearer...).want(http.StatusForbidden, "risk_too_high")
	if refused := lines.FilterMessage("request refused").All(); len(refused) != 1 || !strings.Contains(refused[0].ContextMap()["cause"].(string), "rank 3, at most 2 is allowed") {
		t.Errorf("the log has %v", refused)
	}

	// The rank of the session does not change if WeChat returns another rank later.
	if err := s.sim.SetRiskRank(alice, 0); err != nil {
		t.Fatal(err)
	}
	again := s.do(http.MethodPost, pub+"/refresh", `{"refresh_token":"`+login.get("refresh_token")+`"}`)
	again.want(http.StatusOK, "")
	s.do(http.MethodGet, "/two/a", "", "Authorization", "Bearer "+again.get("access_token")).want(http.StatusForbidden, "risk_too_high")
	s.do(http.MethodGet, "/none", "", "Authorization", "Bearer "+s.login(first).get("access_token")).want(http.StatusOK, "")
	if n := s.sim.Count(riskPath); n != 2 {
		t.Errorf("WeChat was called %d times, want once for each login", n)
	}
}

// TestLoginWithoutRank: if WeChat does not rank users, logins still work, and the log has the
// reason without the user.
func TestLoginWithoutRank(t *testing.T) {
	t.Parallel()
	for errcode, code := range map[int]string{61080: "wechat_busy", 61081: "wechat_busy", 9410009: "app_misconfigured", 48001: "app_misconfigured", 61010: "wechat_unreadable"} {
		s := newRiskySite(t)
		var acts []audit.Event
		s.runtime.Audit = func(e audit.Event) { acts = append(acts, e) }
		lines := s.observe()
		if err := s.sim.Arm(fault.Fault{Path: riskPath, Kind: fault.ErrCode, ErrCode: errcode}); err != nil {
			t.Fatal(err)
		}
		token := s.login(first).get("access_token")
		s.login(first)
		s.do(http.MethodGet, "/two/a", "", "Authorization", "Bearer "+token).want(http.StatusForbidden, "risk_too_high")
		s.do(http.MethodGet, "/orders", "", "Authorization", "Bearer "+token).want(http.StatusOK, "")
		if s.passed == nil || s.passed.Header["X-Rank"] != nil {
			t.Errorf("%d: the upstream got a rank", errcode)
		}
		if len(acts) != 2 || acts[0].Risk != "unknown" || acts[0].Outcome != audit.OK {
			t.Errorf("%d: recorded %+v", errcode, acts)
		}
		logged := lines.FilterMessage("user not ranked by WeChat").FilterLevelExact(zapcore.ErrorLevel).All()
		if len(logged) != 1 {
			t.Fatalf("%d: %d lines, want one for the two logins: %v", errcode, len(logged), lines.All())
		}
		fields := logged[0].ContextMap()
		cause, _ := fields["cause"].(string)
		if fields["code"] != code || !strings.Contains(cause, "app "+first.ID) || strings.Contains(cause, wechatsim.OpenIDFor(first.ID, "alice")) {
			t.Errorf("%d: logged %v", errcode, fields)
		}
	}
}
