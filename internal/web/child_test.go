package web_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestChild: a web-view has the user of the mini program, and ends with the mini program's
// session. Ending the web-view does not end the mini program's session.
func TestChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := s.phone("alice")
		child := s.child(&phone.Identity)
		id, err := s.web.Authenticate(t.Context(), child.Cookie.Value())
		s.must(err)
		if id.User != phone.Identity.User || id.UnionID != "union-alice" || id.Risk != 3 || id.Parent != phone.Identity.Session || child.Session.Door != auth.DoorWebView || id.Dev {
			t.Errorf("the identity is %+v", id)
		}
		s.must(s.sessions.Logout(t.Context(), id, false))
		s.want("the child", s.authenticate(child), auth.ErrSessionRevoked)
		_, err = s.sessions.Live(t.Context(), phone.Identity.Session)
		s.want("its parent", err, nil)
	})
}

// TestParentEnds: a child ends with its parent, even if the parent's last access token has
// expired, so that the parent's revocation would otherwise be forgotten.
func TestParentEnds(t *testing.T) {
	for name, end := range map[string]func(*site, *auth.Identity) error{
		"logout":        func(s *site, id *auth.Identity) error { return s.sessions.Logout(s.t.Context(), id, false) },
		"logout of all": func(s *site, id *auth.Identity) error { return s.sessions.Logout(s.t.Context(), id, true) },
		"a reused refresh token": func(s *site, id *auth.Identity) error {
			return s.store.Update(s.t.Context(), id.Session, func(*auth.Session) (auth.Verdict, error) { return auth.End, nil })
		},
		"the limit": func(s *site, _ *auth.Identity) error {
			s.phone("alice")
			return nil
		},
		"erased": func(s *site, id *auth.Identity) error {
			_, err := s.sessions.Erase(s.t.Context(), id.User)
			return err
		},
	} {
		for _, idle := range []time.Duration{0, 50 * time.Minute, 3 * time.Hour, 3 * 24 * time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, options{limit: auth.SessionLimit{Sessions: 1}})
				phone := s.phone("alice")
				child := s.child(&phone.Identity)
				for range 2 { // its identity may be in the cache, from before or from the first call
					s.want("before", s.authenticate(child), nil)
					settle()
					time.Sleep(idle)
				}
				s.want("before", s.authenticate(child), nil)
				settle()
				s.must(end(s, &phone.Identity))
				for range 20 {
					s.want(name, s.authenticate(child), auth.ErrSessionRevoked)
					time.Sleep(time.Minute)
					s.set.Sweep(time.Now())
				}
			})
		}
	}
}

// TestParentIsIdle: the web-view alone does not keep the mini program's session alive.
func TestParentIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := s.phone("alice")
		child := s.child(&phone.Identity)
		for began := time.Now(); time.Since(began) < testIdle; time.Sleep(time.Minute) {
			if err := s.authenticate(child); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			settle()
		}
		s.want("after the idle end of the parent", s.authenticate(child), auth.ErrSessionRevoked)

		phone = s.phone("alice")
		child = s.child(&phone.Identity)
		time.Sleep(testIdle - 10*time.Minute)
		id, err := s.web.Authenticate(t.Context(), child.Cookie.Value())
		s.must(err)
		if !id.Expires.Equal(phone.RefreshExpires) { // open responses of the child end then
			t.Errorf("the identity expires at %v, and its parent at %v", id.Expires, phone.RefreshExpires)
		}
	})
}

// TestMintedParent: the upstream learns that no platform vouched for the user. Without dev_mode
// neither session is admitted.
func TestMintedParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{devMode: true})
		minted, err := s.sessions.Mint(t.Context(), auth.User{App: miniProgram, OpenID: "tester"})
		s.must(err)
		child := s.child(&minted.Identity)
		id, err := s.web.Authenticate(t.Context(), child.Cookie.Value())
		s.must(err)
		if !id.Dev {
			t.Errorf("the identity is %+v", id)
		}
		s.want("a scan", s.scanWith(&minted.Identity), auth.ErrScanNotFound)

		other := newSite(t, options{})
		other.store.Store = s.store.Store // the same sessions, without dev_mode
		other.want("without dev_mode", other.authenticate(child), auth.ErrSessionRevoked)
		text, err := other.web.NewTicket(t.Context(), &minted.Identity, onPhone)
		other.must(err)
		_, err = other.enter(text)
		other.want("a ticket without dev_mode", err, auth.ErrTicketInvalid)
	})
}

// scanWith opens a scan of its app with a phone.
func (s *site) scanWith(phone *auth.Identity) error {
	s.t.Helper()
	name, _ := s.newScan()
	_, err := s.web.OpenScan(s.t.Context(), name, phone)
	return err
}
