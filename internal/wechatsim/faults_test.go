package wechatsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

func TestFaultsThatAnswerAnErrcode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault fault.Fault
		want  string
	}{
		{fault.Fault{Kind: fault.Busy}, `{"errcode":-1,`},
		{fault.Fault{Kind: fault.Quota}, `{"errcode":45009,`},
		{fault.Fault{Kind: fault.MinuteQuota}, `{"errcode":45011,`},
		{fault.Fault{Kind: fault.ErrCode, ErrCode: 40029}, `{"errcode":40029,`},
		{fault.Fault{Kind: fault.ErrCode, ErrCode: 40029, AsString: true}, `{"errcode":"40029",`},
		{fault.Fault{Kind: fault.ErrCode, ErrCode: 99999}, `{"errcode":99999,`},
	} {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			t.Parallel()
			srv := simtest.Start(t)
			tt.fault.Times = 1
			simtest.Arm(t, srv, tt.fault)
			code := simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})
			resp, body := simtest.Send(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), "")
			if resp.StatusCode != 200 || !strings.HasPrefix(body, tt.want) || !strings.Contains(body, "req_id: ") {
				t.Errorf("= %d %s, want 200 %s…", resp.StatusCode, body, tt.want)
			}
			// Struck once, and before the work: the code is good.
			simtest.WantCode(t, simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], code), ""), 0)
		})
	}
}

func TestFaultsThatAreNotJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind        fault.Kind
		status      int
		contentType string
		body        string
	}{
		{fault.HTML, 200, "text/html", "<html>"},
		{fault.HTTP500, 502, "text/html", "<html>"},
		{fault.Empty, 200, "text/html; charset=gbk", ""},
		{fault.Redirect, 302, "text/html", ""},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			t.Parallel()
			srv := simtest.Start(t)
			simtest.Arm(t, srv, fault.Fault{Path: simtest.LoginPath, Kind: tt.kind})
			resp, body := simtest.Send(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], "x"), "")
			if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != tt.contentType {
				t.Errorf("= %d %q, want %d %q", resp.StatusCode, resp.Header.Get("Content-Type"), tt.status, tt.contentType)
			}
			if !strings.HasPrefix(body, tt.body) || tt.body == "" && body != "" {
				t.Errorf("body = %q, want %q", body, tt.body)
			}
			if tt.kind == fault.Redirect && resp.Header.Get("Location") != "/moved" {
				t.Errorf("Location = %q", resp.Header.Get("Location"))
			}
		})
	}
}

func TestFaultControl(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Control})
	_, body := simtest.Send(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})), "")
	if json.Valid([]byte(body)) || !strings.Contains(body, "\x01") || !strings.Contains(body, `"openid":"alice"`) {
		t.Errorf("body = %q, want the right response with raw control characters", body)
	}
}

func TestFaultHuge(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Huge})
	r := simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})), "")
	if r.OpenID != "alice" {
		t.Errorf("openid = %q", r.OpenID)
	}
	if _, body := simtest.Send(t, "GET", srv.URL+"/nothing", ""); len(body) <= 1<<20 {
		t.Errorf("%d bytes, want more than 1 MiB", len(body))
	}
}

func TestFaultTruncated(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Truncated})
	resp, err := simtest.Client.Get(simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || int64(len(body)) >= resp.ContentLength {
		t.Errorf("%d of %d bytes, %v; want half and unexpected EOF", len(body), resp.ContentLength, err)
	}
}

func TestFaultSlow(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	const delay = 200 * time.Millisecond
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Slow, Delay: delay})
	began := time.Now()
	r := simtest.Call(t, "GET", simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{})), "")
	if took := time.Since(began); r.OpenID != "alice" || took < delay*9/10 {
		t.Errorf("openid %q after %v, want the right response after %v", r.OpenID, took, delay)
	}
}

func TestFaultDelay(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	const delay = 100 * time.Millisecond
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Busy, Delay: delay})
	began := time.Now()
	simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+simtest.LoginPath, ""), -1)
	if took := time.Since(began); took < delay {
		t.Errorf("responded after %v, want %v", took, delay)
	}
}

func TestFaultReset(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Reset})
	resp, err := simtest.Client.Get(srv.URL + simtest.LoginPath)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("err = %v, want a reset connection", err)
	}
}

func TestFaultTimeoutEndsWithTheClient(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Timeout})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+simtest.LoginPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := simtest.Client.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the client's own deadline", err)
	}
}

func TestFaultTimeoutEndsWithTheSimulator(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Timeout})
	failed := make(chan error, 1)
	go func() {
		resp, err := simtest.Client.Get(srv.URL + simtest.LoginPath)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	simtest.WaitForRequest(t, srv)
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("a hanging request got a response")
	}
}

// A code that was used before the response was lost is the case a careful
// gateway must not retry.
func TestFaultAfterTheWork(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Reset, fault.Timeout} {
		for after, want := range map[bool]int{true: 40163, false: 0} {
			srv := simtest.Start(t)
			simtest.Arm(t, srv, fault.Fault{Path: simtest.LoginPath, Kind: kind, Times: 1, After: after})
			target := simtest.LoginURL(srv, simtest.Apps[0], simtest.Mint(t, srv, simtest.Alice, wechatsim.Login{}))
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := simtest.Client.Do(req); err == nil {
				resp.Body.Close()
				t.Error("the fault did not strike")
			}
			cancel()
			simtest.WantCode(t, simtest.Call(t, "GET", target, ""), want)
			if log := srv.Sim.Requests(simtest.LoginPath); (log[0].Result == protocol.OK) != after || log[0].Fault != kind {
				t.Errorf("noted as %q %q", log[0].Result, log[0].Fault)
			}
		}
	}
}

func TestFaultPathTimesAndOrder(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	simtest.Arm(t, srv, fault.Fault{Path: simtest.LoginPath, Kind: fault.Busy, Times: 2})
	simtest.Arm(t, srv, fault.Fault{Kind: fault.Quota})
	for _, want := range []int{-1, -1, 45009, 45009} {
		simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+simtest.LoginPath, ""), want)
	}
	simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+"/cgi-bin/token", ""), 45009)
	if left := srv.Sim.Faults(); len(left) != 1 || left[0].Kind != fault.Quota {
		t.Errorf("armed = %+v, want the quota alone", left)
	}
	srv.Sim.ClearFaults()
	simtest.WantCode(t, simtest.Call(t, "GET", srv.URL+simtest.LoginPath, ""), 41002)
}

func TestFaultProbabilityIsRepeatable(t *testing.T) {
	t.Parallel()
	var runs [2]string
	for i := range runs {
		sim := wechatsim.New(wechatsim.Config{Seed: 7})
		if err := sim.Arm(fault.Fault{Kind: fault.Busy, Probability: 0.5}); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			w := httptest.NewRecorder()
			sim.API().ServeHTTP(w, httptest.NewRequest("GET", simtest.LoginPath, nil))
			runs[i] += map[bool]string{true: "x", false: "."}[strings.Contains(w.Body.String(), ":-1,")]
		}
	}
	if struck := strings.Count(runs[0], "x"); struck < 30 || struck > 70 || runs[0] != runs[1] {
		t.Errorf("runs:\n%s\n%s\nwant the same, about half struck", runs[0], runs[1])
	}
}

func TestFaultsThatCannotBeArmed(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for _, f := range []fault.Fault{
		{},
		{Kind: "unknown"},
		{Kind: fault.ErrCode},
		{Kind: fault.Busy, Path: "sns"},
		{Kind: fault.Busy, Times: -1},
		{Kind: fault.Busy, Delay: -1},
		{Kind: fault.Busy, Probability: 1.1},
	} {
		if err := sim.Arm(f); !errors.Is(err, fault.ErrBad) {
			t.Errorf("%+v: %v, want ErrBadFault", f, err)
		}
	}
}

func TestFaultWithoutAConnectionToDrop(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	if err := sim.Arm(fault.Fault{Kind: fault.Reset}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	sim.API().ServeHTTP(w, httptest.NewRequest("GET", simtest.LoginPath, nil))
	if w.Code != http.StatusBadGateway {
		t.Errorf("= %d, want 502", w.Code)
	}
}
