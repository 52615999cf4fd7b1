package web_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/web"
)

var someLogin = web.State{App: official, Door: auth.DoorOfficial, Return: "https://shop.example.com/orders?a=1&b=2"}

// newState begins a login in a browser.
func (s *site) newState() (state, sealed string) {
	s.t.Helper()
	state, sealed, err := s.web.NewState(someLogin)
	s.must(err)
	return state, sealed
}

func (s *site) openState(state, sealed string) error {
	_, err := s.web.OpenState(state, sealed)
	return err
}

// TestStates: a state is accepted only with the cookie of its own login.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		state, sealed := s.newState()
		other, otherSealed := s.newState()
		if !web.ValidState(state) || strings.Trim(state, "0123456789abcdef") != "" || len(state) > 128 {
			t.Errorf("WeChat would not return the state %q", state)
		}
		login, err := s.web.OpenState(state, sealed)
		s.must(err)
		if login.App != someLogin.App || login.Door != someLogin.Door || login.Return != someLogin.Return {
			t.Errorf("the login is %+v, want %+v", login, someLogin)
		}
		flipped := []byte(sealed)
		flipped[len(flipped)/2] ^= 1
		for name, pair := range map[string][2]string{
			"no cookie, as in another browser": {state, ""}, "the cookie of another login": {state, otherSealed}, "the state of another login": {other, sealed},
			"no state": {"", sealed}, "a short state": {state[1:], sealed}, "a long state": {state + "0", sealed}, "in upper case": {strings.ToUpper(state), sealed},
			"a guess": {strings.Repeat("0", 32), sealed}, "not hex": {strings.Repeat("g", 32), sealed}, "the state as cookie": {state, state},
			"a tampered cookie": {state, string(flipped)}, "half of a cookie": {state, sealed[:len(sealed)/2]}, "a padded cookie": {state, sealed + "="}, "not base64": {state, "%%%"},
		} {
			s.want(name, s.openState(pair[0], pair[1]), web.ErrState)
		}
		time.Sleep(web.StateLife - time.Second)
		s.want("a second before its end", s.openState(state, sealed), nil)
		time.Sleep(time.Second)
		s.want("expired", s.openState(state, sealed), web.ErrState)
	})
}

// TestStateIsNotATicket: data sealed for one purpose cannot be used for another.
func TestStateIsNotATicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		state, sealed := s.newState()
		for _, text := range []string{state, sealed, "wxt_" + state} {
			_, err := s.web.Ticket(t.Context(), text)
			s.want("as a ticket", err, web.ErrTicket)
		}
	})
}

// TestStateIsSpentOnce: of several requests with one state and one cookie, on two machines, one
// can exchange its code.
func TestStateIsSpentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		machines := []*web.Service{s.web, s.machine()}
		state, sealed := s.newState()
		var running sync.WaitGroup
		var spent atomic.Int64
		for i := range 16 {
			running.Go(func() {
				login, err := machines[i%2].OpenState(state, sealed)
				if err == nil {
					err = machines[i%2].SpendState(t.Context(), state, login)
				}
				if err == nil {
					spent.Add(1)
				} else {
					s.want("spend", err, web.ErrState)
				}
			})
		}
		running.Wait()
		if spent.Load() != 1 {
			t.Errorf("the state was spent %d times", spent.Load())
		}
		// The record of the use exists as long as the state could be used.
		time.Sleep(web.StateLife - time.Second)
		login, err := s.web.OpenState(state, sealed)
		s.must(err)
		s.want("again, at the end of its life", s.web.SpendState(t.Context(), state, login), web.ErrState)
	})
}

// FuzzOpenState: only a pair that NewState returned is a login.
func FuzzOpenState(f *testing.F) {
	s := newSite(f, options{})
	state, sealed := s.newState()
	other, _ := s.newState()
	for _, pair := range [][2]string{{state, sealed}, {other, sealed}, {state, ""}, {"", sealed}, {strings.ToUpper(state), sealed}, {state, sealed + "A"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		_, err := s.web.OpenState(a, b)
		if issued := a == state && b == sealed; (err == nil) != issued {
			t.Errorf("%q with %q: %v", a, b, err)
		}
		if web.ValidState(a) && len(a) != 32 {
			t.Errorf("%q has the form of a state", a)
		}
	})
}
