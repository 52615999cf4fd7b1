package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
)

// killRounds is the number of rounds; each kills the gateway three times.
const killRounds = 4

// TestKillLosesNothing is issue 2, point 8: the effect of every successful response is stored,
// even if kill -9 follows immediately.
func TestKillLosesNothing(t *testing.T) {
	dir := shortDir(t)
	s, err := newSurroundings(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	example, err := filepath.Abs(filepath.Join("..", "..", "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	start := func() *process {
		p := startProcess(t, dir, s.env, "wxgate", "run", "--config", example)
		if err := waitReady(s.url); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for round := range killRounds {
		gateway := start()
		logins := s.during(gateway, round, func(i int) (response, error) { return s.login(fmt.Sprintf("user-%d-%d", round, i)) })
		gateway = start()
		refreshes := s.during(gateway, round, func(i int) (response, error) { return s.refresh(logins[i%len(logins)]) })
		gateway = start()
		for _, a := range append(logins, refreshes...) {
			s.wantSession(t, a, http.StatusOK)
		}
		var ended sync.Map
		logouts := s.during(gateway, round, func(i int) (response, error) {
			a := logins[i%len(logins)]
			out, err := ask(http.MethodPost, s.url+"/v1.0/pub/logout", "", "Authorization: Bearer "+a.member("access_token"))
			if err == nil && out.status == http.StatusNoContent {
				ended.Store(a.member("access_token"), a)
			}
			return out, err
		})
		if len(logins) == 0 || len(refreshes) == 0 || len(logouts) == 0 {
			t.Fatalf("%d logins, %d refreshes, %d logouts succeeded: the test would prove nothing", len(logins), len(refreshes), len(logouts))
		}
		gateway = start()
		ended.Range(func(_, a any) bool {
			s.wantSession(t, a.(response), http.StatusUnauthorized)
			return true
		})
		gateway.kill()
	}
}

// during makes calls, several at a time, and kills the gateway as soon as round+1 of them
// succeeded. It returns all successful responses.
func (s *surroundings) during(gateway *process, round int, call func(i int) (response, error)) []response {
	const callers = 6
	var (
		mu        sync.Mutex
		succeeded []response
		killed    = make(chan struct{})
		once      sync.Once
		running   sync.WaitGroup
	)
	for i := range callers {
		running.Go(func() {
			a, err := call(i)
			if err != nil || a.status >= http.StatusMultipleChoices {
				return // the gateway was killed before it responded
			}
			mu.Lock()
			succeeded = append(succeeded, a)
			enough := len(succeeded) > round
			mu.Unlock()
			if enough {
				once.Do(func() { gateway.kill(); close(killed) })
			}
		})
	}
	running.Wait()
	once.Do(func() { gateway.kill(); close(killed) })
	<-killed
	return succeeded
}

func (s *surroundings) login(user string) (response, error) {
	code, err := ask(http.MethodGet, s.sim.ManagementURL+"/code?user="+user, "")
	if err != nil {
		return code, err
	}
	return ask(http.MethodPost, s.url+"/v1.0/pub/openId", fmt.Sprintf(`{"code":%q}`, code.body))
}

func (s *surroundings) refresh(a response) (response, error) {
	return ask(http.MethodPost, s.url+"/v1.0/pub/refresh", fmt.Sprintf(`{"refresh_token":%q}`, a.member("refresh_token")))
}

// wantSession calls session with the access token of a response.
func (s *surroundings) wantSession(t *testing.T, a response, status int) {
	t.Helper()
	got, err := ask(http.MethodGet, s.url+"/v1.0/pub/session", "", "Authorization: Bearer "+a.member("access_token"))
	if err != nil {
		t.Fatal(err)
	}
	if got.status != status || status == http.StatusUnauthorized && got.member("code") != "session_revoked" {
		t.Errorf("after kill -9: %d %s, want %d", got.status, got.body, status)
	}
}
