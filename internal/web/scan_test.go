package web_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/web"
)

// browserKey is the key of the browser in most tests.
var browserKey = web.NewBrowserKey()

func (s *site) newScan() (name, number string) {
	s.t.Helper()
	name, number, err := s.web.NewScan(s.t.Context(), miniProgram, browserKey, web.Asker{Agent: "Chrome on Windows", Address: "203.0.113.*", Place: "深圳"})
	s.must(err)
	return name, number
}

func (s *site) finish(name string, browser web.BrowserKey) (*web.Opened, error) {
	return s.web.Finish(s.t.Context(), name, browser, auth.DeviceWindows)
}

// TestScan follows a scan to its session. ModelScans tests the other cases.
func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := s.phone("alice")
		name, number := s.newScan()
		if len(name) != 22 || len(number) != 4 || strings.Trim(number, "0123456789") != "" {
			t.Errorf("scan %q, number %q", name, number)
		}
		shown, err := s.web.OpenScan(t.Context(), name, &phone.Identity)
		s.must(err)
		if shown.Asker != (web.Asker{Agent: "Chrome on Windows", Address: "203.0.113.*", Place: "深圳"}) {
			t.Errorf("the phone shows %+v", shown.Asker)
		}
		_, err = s.finish(name, browserKey)
		s.want("before the confirmation", err, web.ErrScan)
		s.must(s.web.ConfirmScan(t.Context(), name, number, &phone.Identity))
		_, err = s.finish(name, web.NewBrowserKey())
		s.want("by another browser", err, web.ErrScan)
		opened, err := s.finish(name, browserKey)
		s.must(err)
		id, err := s.web.Authenticate(t.Context(), opened.Cookie.Value())
		s.must(err)
		if id.User != phone.Identity.User || id.UnionID != "union-alice" || id.Parent != "" || opened.Session.Door != auth.DoorScan || opened.Session.Device != auth.DeviceWindows {
			t.Errorf("the identity is %+v of %+v", id, opened.Session)
		}
		s.must(s.sessions.Logout(t.Context(), &phone.Identity, false))
		s.want("after a logout on the phone", s.authenticate(opened), nil)
	})
}

// TestScanOfPhones: credentials that are not of a phone with the scan's app are refused.
func TestScanOfPhones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := s.phone("alice").Identity
		other, cookie, minted := phone, phone, phone
		other.App, cookie.Browser, minted.Dev = official, true, true
		for name, id := range map[string]*auth.Identity{"another app": &other, "a cookie": &cookie, "a minted token": &minted} {
			scan, number := s.newScan()
			s.want(name+" opens", s.scanWith(id), web.ErrScan)
			s.want(name+" confirms", s.web.ConfirmScan(t.Context(), scan, number, id), web.ErrScan)
			s.want(name+" refuses", s.web.RefuseScan(t.Context(), scan, id), web.ErrScan)
			state, err := s.web.ScanState(t.Context(), scan, browserKey)
			s.want(name, err, nil)
			if state != web.ScanWaiting {
				t.Errorf("%s: the state is %s", name, state)
			}
		}
	})
}

// TestPhoneLogsOut: a confirmed scan begins no session for a user who has logged out in the
// meantime.
func TestPhoneLogsOut(t *testing.T) {
	for name, all := range map[string]bool{"logout": false, "logout of all": true} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, options{})
			phone := s.phone("alice")
			scan, number := s.newScan()
			_, err := s.web.OpenScan(t.Context(), scan, &phone.Identity)
			s.must(err)
			s.must(s.web.ConfirmScan(t.Context(), scan, number, &phone.Identity))
			s.must(s.sessions.Logout(t.Context(), &phone.Identity, all))
			_, err = s.finish(scan, browserKey)
			s.want(name, err, web.ErrScan)
			_, err = s.finish(scan, browserKey)
			s.want(name+", again", err, web.ErrScan)
		})
	}
}

// TestScanEnds: a scan ends at its time, however late it was confirmed.
func TestScanEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := s.phone("alice")
		scan, number := s.newScan()
		time.Sleep(web.ScanLife - time.Second)
		_, err := s.web.OpenScan(t.Context(), scan, &phone.Identity)
		s.must(err)
		s.must(s.web.ConfirmScan(t.Context(), scan, number, &phone.Identity))
		time.Sleep(time.Second)
		_, err = s.finish(scan, browserKey)
		s.want("finish", err, web.ErrScan)
		state, err := s.web.ScanState(t.Context(), scan, browserKey)
		if err != nil || state != web.ScanExpired || !state.Final() {
			t.Errorf("the state is %s, %v", state, err)
		}
	})
}

// TestNumbers: numbers are distributed evenly, and have leading zeros.
func TestNumbers(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	first := map[byte]int{}
	for range 2000 {
		_, number := s.newScan()
		first[number[0]]++
	}
	for digit := byte('0'); digit <= '9'; digit++ {
		if n := first[digit]; n < 120 || n > 280 { // 200, and six standard deviations
			t.Errorf("%d of 2000 numbers begin with %c", n, digit)
		}
	}
}

func TestBrowserKey(t *testing.T) {
	t.Parallel()
	if !browserKey.Valid() || browserKey == web.NewBrowserKey() {
		t.Errorf("the key of a browser is %q", browserKey)
	}
	for _, key := range []web.BrowserKey{"", browserKey[1:], browserKey + "A", "====", web.BrowserKey(strings.Repeat("+", 43)), browserKey[:42] + "\n"} {
		if key.Valid() {
			t.Errorf("%q is valid", key)
		}
	}
}

// FuzzScanNames: every call refuses a text that is not the name of a scan.
func FuzzScanNames(f *testing.F) {
	s := newSite(f, options{})
	phone := s.phone("alice")
	scan, number := s.newScan()
	for _, seed := range []string{"", scan, scan + "A", scan[:21], strings.ToUpper(scan), scan[:21] + "=", strings.Repeat("A", 22), "../" + scan} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == scan {
			return
		}
		_, open := s.web.OpenScan(t.Context(), name, &phone.Identity)
		_, finish := s.web.Finish(t.Context(), name, browserKey, auth.DeviceWindows)
		for call, err := range map[string]error{
			"open": open, "finish": finish, "confirm": s.web.ConfirmScan(t.Context(), name, number, &phone.Identity), "refuse": s.web.RefuseScan(t.Context(), name, &phone.Identity),
		} {
			if !errors.Is(err, web.ErrScan) {
				t.Errorf("%s of %q: %v, want ErrScan", call, name, err)
			}
		}
		if state, err := s.web.ScanState(t.Context(), name, browserKey); err == nil && state != web.ScanExpired || err != nil && !errors.Is(err, web.ErrScan) {
			t.Errorf("%q: %s, %v", name, state, err)
		}
	})
}
