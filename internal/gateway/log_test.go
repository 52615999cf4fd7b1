package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// observe records the log of a site.
func (s *site) observe() *observer.ObservedLogs {
	core, lines := observer.New(zapcore.DebugLevel)
	s.gateway.Logger = zap.New(core)
	return lines
}

func TestSpoofedHeadersAreLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	lines, bearer := s.observe(), s.bearer()
	s.do(http.MethodGet, "/orders", "", bearer...)
	if n := lines.FilterMessageSnippet("removed identity headers").Len(); n != 0 {
		t.Errorf("%d lines about a client without spoofed headers", n)
	}
	s.do(http.MethodGet, "/orders", "", append(bearer, "X-WX-OPENID", "mallory", "X-WX-Unionid", "u")...)
	found := lines.FilterMessageSnippet("removed identity headers").All()
	if len(found) != 1 || found[0].ContextMap()["headers"] != int64(2) || found[0].ContextMap()["path"] != "/orders" {
		t.Errorf("the log has %v", found)
	}
}

// brokenStore fails to store phone numbers and to end sessions.
type brokenStore struct{ auth.Store }

func (brokenStore) Update(context.Context, auth.SessionID, func(*auth.Session) (auth.Verdict, error)) error {
	return auth.ErrStoreUnavailable
}

// breakStore replaces the store of a site with a broken store.
func (s *site) breakStore() {
	apps := map[auth.AppID]auth.Platform{}
	for id, client := range s.runtime.Platforms {
		apps[id] = client
	}
	s.runtime.Service = auth.NewService(auth.Config{
		Apps: apps, Tokens: s.runtime.Tokens, Store: brokenStore{s.runtime.Store}, Revocations: session.NewSet(),
		Access: time.Hour, Refresh: time.Hour, Idle: time.Hour,
	})
}

// A verified number is returned although the store failed to store it. The failure is logged.
func TestNumberThatIsNotStored(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	lines, bearer := s.observe(), s.bearer()
	s.breakStore()
	code, err := s.sim.MintPhoneCode(alice, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	r := s.do(http.MethodPost, pub+"/decode", `{"code":"`+code.Code+`"}`, bearer...)
	r.want(http.StatusOK, "")
	if r.get("phoneNumber") == "" || lines.FilterMessageSnippet("was returned but not stored").FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Errorf("the response is %s, the log has %v", r.body, lines.All())
	}
}

// If the session of a refused Wafer login cannot be ended, that is logged.
func TestWaferUndoFails(t *testing.T) {
	t.Parallel()
	for broken, want := range map[bool]int{false: 0, true: 1} {
		s := newWaferSite(t)
		lines := s.observe()
		if broken {
			s.breakStore()
		}
		s.do(http.MethodGet, "/weapp/login", "", "X-WX-Code", s.code(first), "X-WX-Encrypted-Data", "AAAAAAAAAAAAAAAAAAAAAA==", "X-WX-IV", "AAAAAAAAAAAAAAAAAAAAAA==")
		if n := lines.FilterMessageSnippet("ending the session of a refused Wafer login failed").Len(); n != want {
			t.Errorf("broken: %t, %d lines", broken, n)
		}
	}
}

func TestCloseFails(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{nil, errors.New("disk full")} {
		core, lines := observer.New(zapcore.ErrorLevel)
		rt := new(Runtime)
		rt.Open(func() error { return failure }, zap.New(core))
		rt.Release()
		if (lines.Len() == 1) != (failure != nil) {
			t.Errorf("%v: the log has %v", failure, lines.All())
		}
	}
}

// A failure of the gateway stays 500 for the proxy that asks.
func TestVerifyFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.gateway.Edge.ComparesPaths = false
	s.gateway.Acquire = func() (*Runtime, error) { return nil, errors.New("a bug") }
	w := httptest.NewRecorder()
	v := &Verifier{Guard: s.gateway.Guard, PathFrom: PathFromForwarded}
	if err := v.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil)); err != nil || w.Code != http.StatusInternalServerError {
		t.Errorf("%v, status %d", err, w.Code)
	}
}

func TestRawKeysAreCounted(t *testing.T) { // not parallel: the counters are global
	s := newSite(t, func(_ *site, c *Config) { c.RawKeys = map[auth.AppID]struct{}{auth.AppID(first.ID): {}} })
	s.login(first)
	count := func(outcome string) float64 { return valueOf(t, metrics.RawKeys.WithLabelValues(outcome)) }
	ok, failed := count("ok"), count("decrypt_failed")
	s.do(http.MethodPost, pub+"/decode", `{"session_key":"`+s.rawKey()+`","appid":"`+first.ID+`",`+s.encrypted()+`}`)
	s.do(http.MethodPost, pub+"/decode", `{"session_key":"AAAAAAAAAAAAAAAAAAAAAA==","appid":"`+first.ID+`",`+s.encrypted()+`}`)
	if count("ok") != ok+1 || count("decrypt_failed") != failed+1 {
		t.Errorf("ok %v, decrypt_failed %v; before %v, %v", count("ok"), count("decrypt_failed"), ok, failed)
	}
	// Without the option, a raw key is not a valid handle, with or without an appid.
	s = newSite(t, nil)
	s.login(first)
	s.do(http.MethodPost, pub+"/decode", `{"session_key":"`+s.rawKey()+`",`+s.encrypted()+`}`).want(http.StatusUnauthorized, "session_stale")
	s.do(http.MethodGet, pub+"/callback", "").want(http.StatusNotFound, "not_found") // nor is there a callback
}

// valueOf returns the value of a counter.
func valueOf(t *testing.T, collector prometheus.Collector) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].Metric[0].GetCounter().GetValue()
}
