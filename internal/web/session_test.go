package web_test

import (
	"encoding/base64"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/web"
)

// settle waits until the cache has stored its entries.
func settle() { synctest.Wait() }

func TestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		opened := s.login("alice")
		if opened.Session.Door != auth.DoorOfficial || opened.Session.Device != auth.DeviceWindows || opened.Session.UnionID != "union-alice" || opened.Life() != testLife {
			t.Errorf("the session is %+v, its cookie lives for %v", opened.Session, opened.Life())
		}
		id, err := s.web.Authenticate(t.Context(), opened.Cookie.Value())
		s.must(err)
		want := auth.Identity{
			User: auth.User{App: official, OpenID: "alice"}, UnionID: "union-alice", Session: opened.Session.ID, Browser: true,
			Pseudonym: "u_alice", IssuedAt: opened.Session.CreatedAt, Expires: time.Now().Add(time.Hour + 5*time.Minute),
		}
		if *id != want {
			t.Errorf("the identity is\n%+v, want\n%+v", *id, want)
		}
		again := s.login("alice")
		if again.Cookie.Value() == opened.Cookie.Value() || again.Session.ID == opened.Session.ID {
			t.Error("a login has the cookie or the session of an earlier login (session fixation)")
		}
		_, err = s.web.Login(t.Context(), auth.DoorOfficial, official, "snapshot", auth.DeviceIOS)
		s.want("a snapshot user", err, auth.ErrSnapshotUser)
		_, err = s.web.Login(t.Context(), auth.DoorOfficial, "wx9", "alice", auth.DeviceIOS)
		s.want("an unknown app", err, auth.ErrUnknownApp)
		_, err = s.web.Login(t.Context(), auth.DoorOfficial, official, "a\r\nX: b", auth.DeviceIOS)
		s.want("an openid that no platform issues", err, auth.ErrWeChatUnreadable)
	})
}

// withSecretOf returns a cookie that names one session and has the secret of another.
func withSecretOf(t *testing.T, session, secret *web.Opened) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(secret.Cookie.Value()[4:])
	if err != nil {
		t.Fatal(err)
	}
	id, _ := session.Session.ID.Bytes()
	return "wxc_" + base64.RawURLEncoding.EncodeToString(append(id[:], raw[16:]...))
}

// TestForeignCredentials: a credential of another kind, or a cookie with another secret, does not
// open a browser session, and a cookie opens no other session.
func TestForeignCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		alice, mallory, phone := s.login("alice"), s.login("mallory"), s.phone("alice")
		ofPhone := *alice
		ofPhone.Session = &auth.Session{ID: phone.Identity.Session}
		gone := *alice
		gone.Session = &auth.Session{ID: auth.NewSessionID(time.Now(), alice.Session.User)}
		for name, test := range map[string]struct {
			value string
			want  error
		}{
			"the secret of another session": {withSecretOf(t, alice, mallory), auth.ErrInvalidToken},
			"a session of a mini program":   {withSecretOf(t, &ofPhone, alice), auth.ErrInvalidToken},
			"a session that never existed":  {withSecretOf(t, &gone, alice), auth.ErrSessionRevoked},
			"a refresh token":               {phone.RefreshToken, auth.ErrInvalidToken},
			"an access token":               {phone.AccessToken, auth.ErrInvalidToken},
			"zeros":                         {"wxc_" + base64.RawURLEncoding.EncodeToString(make([]byte, 48)), auth.ErrSessionRevoked},
		} {
			_, err := s.web.Authenticate(t.Context(), test.value)
			s.want(name, err, test.want)
		}
		for name, value := range map[string]string{"a cookie": alice.Cookie.Value(), "as a refresh token": "wxr_" + alice.Cookie.Value()[4:]} {
			_, err := s.sessions.Refresh(t.Context(), value, func(auth.AppID) bool { return true })
			s.want(name+" at refresh", err, auth.ErrInvalidToken)
			ended, err := s.sessions.RevokeRefresh(t.Context(), value, func(auth.AppID) bool { return true })
			s.want(name+" at revoke", err, nil)
			if ended.ID != "" {
				t.Errorf("%s ended session %s", name, ended.ID)
			}
		}
		s.want("alice's cookie afterwards", s.authenticate(alice), nil)
		s.must(s.store.Update(t.Context(), mallory.Session.ID, func(session *auth.Session) (auth.Verdict, error) {
			session.Door = auth.DoorMiniProgram
			return auth.Save, nil
		}))
		s.want("the digest of a session with tokens", s.authenticate(mallory), auth.ErrInvalidToken)
	})
}

// TestReads: a cookie costs one read on a cache miss and none on a hit. Each machine has its own
// cache.
func TestReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		opened := s.login("alice")
		wantCalls := func(what string, wantReads, wantWrites int64) {
			t.Helper()
			settle()
			if reads, writes := s.store.take(); reads != wantReads || writes != wantWrites {
				t.Errorf("%s: %d reads and %d writes, want %d and %d", what, reads, writes, wantReads, wantWrites)
			}
		}
		s.store.take()
		s.want("first", s.authenticate(opened), nil)
		wantCalls("first", 1, 0)
		for range 100 {
			s.want("hit", s.authenticate(opened), nil)
		}
		wantCalls("100 hits", 0, 0)
		_, err := s.machine().Authenticate(t.Context(), opened.Cookie.Value())
		s.want("another machine", err, nil)
		wantCalls("another machine", 1, 0)
		time.Sleep(5*time.Minute + time.Second)
		s.want("after the life of the cache", s.authenticate(opened), nil)
		wantCalls("after the life of the cache", 1, 0)
		for _, junk := range []string{"", "junk", "wxc_", plainCookie('a')[:60]} {
			_, err := s.web.Authenticate(t.Context(), junk)
			s.want("junk", err, auth.ErrInvalidToken)
		}
		wantCalls("junk", 0, 0)
		// A refusal is not cached: a login that another machine just wrote is found.
		s.store.failing.Store(true)
		other := s.login("bob")
		s.want("while the store is down", s.authenticate(other), auth.ErrStoreUnavailable)
		s.want("a hit while the store is down", s.authenticate(opened), nil)
		s.store.failing.Store(false)
		s.want("when it is up again", s.authenticate(other), nil)
	})
}

// TestSlidingEnd sends a request every minute for a week, and then none.
func TestSlidingEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		opened := s.login("alice")
		s.store.take()
		const week = 7 * 24 * time.Hour
		for began := time.Now(); time.Since(began) < week; time.Sleep(time.Minute) {
			if err := s.authenticate(opened); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			settle()
		}
		if reads, writes := s.store.take(); writes < 120 || writes > 7*24 || reads > 7*24*30 {
			t.Errorf("a week of use cost %d writes, want one an hour, and %d reads", writes, reads)
		}
		time.Sleep(testIdle - 2*time.Hour) // the end was extended up to an hour ago, and the last use was just now
		s.want("before the idle end", s.authenticate(opened), nil)
		time.Sleep(testIdle)
		s.want("after the idle end", s.authenticate(opened), auth.ErrSessionRevoked)
	})
}

// TestShortIdle: sessions whose idle time is less than an hour stay alive while they are used.
func TestShortIdle(t *testing.T) {
	for _, idle := range []time.Duration{4 * time.Minute, 20 * time.Minute, time.Hour, 70 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, options{idle: idle})
			opened := s.login("alice")
			for began := time.Now(); time.Since(began) < 6*time.Hour; time.Sleep(idle / 4) {
				if err := s.authenticate(opened); err != nil {
					t.Fatalf("idle %v, after %v of use: %v", idle, time.Since(began), err)
				}
				settle()
			}
			time.Sleep(idle)
			s.want("after the idle end", s.authenticate(opened), auth.ErrSessionRevoked)
		})
	}
}

// TestAbsoluteEnd: use does not change the absolute end, and a cached identity ends with it.
func TestAbsoluteEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		opened := s.login("alice")
		began := time.Now()
		for time.Since(began) < testLife {
			if err := s.authenticate(opened); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			settle()
			time.Sleep(min(12*time.Hour, max(time.Second, testLife-time.Since(began)-30*time.Second)))
		}
		s.want("after the absolute end", s.authenticate(opened), auth.ErrSessionRevoked)
	})
}

// TestRevocations: however a session ends, its cached cookie is refused at once, on every machine,
// however long the browser was idle before.
func TestRevocations(t *testing.T) {
	ends := map[string]struct {
		end  func(*site, *auth.Identity) error
		want error
	}{
		"logout": {func(s *site, id *auth.Identity) error {
			return s.sessions.Logout(s.t.Context(), id, false)
		}, auth.ErrSessionRevoked},
		"logout of all": {func(s *site, id *auth.Identity) error {
			return s.sessions.Logout(s.t.Context(), id, true)
		}, auth.ErrSessionRevoked},
		"an operator": {func(s *site, id *auth.Identity) error {
			_, err := s.sessions.EndUser(s.t.Context(), id.User, auth.CauseOperator)
			return err
		}, auth.ErrSessionRevoked},
		"erased": {func(s *site, id *auth.Identity) error {
			_, err := s.sessions.Erase(s.t.Context(), id.User)
			return err
		}, auth.ErrSessionRevoked},
		"replaced": {func(s *site, _ *auth.Identity) error { s.login("alice"); return nil }, auth.ErrSessionReplaced},
	}
	for name, test := range ends {
		for _, idle := range []time.Duration{0, 30 * time.Minute, 59*time.Minute + 59*time.Second, 70 * time.Minute, 10 * time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, options{limit: auth.SessionLimit{Sessions: 1}})
				opened := s.login("alice")
				time.Sleep(idle)
				machines := []*web.Service{s.web, s.machine()}
				var id *auth.Identity
				for _, machine := range machines {
					var err error
					if id, err = machine.Authenticate(t.Context(), opened.Cookie.Value()); err != nil {
						t.Fatalf("%s after %v: %v", name, idle, err)
					}
				}
				settle()
				s.must(test.end(s, id))
				for range 20 { // as long as it could be in a cache, and longer
					for _, machine := range machines {
						_, err := machine.Authenticate(t.Context(), opened.Cookie.Value())
						s.want(name, err, test.want)
					}
					time.Sleep(time.Minute)
					s.set.Sweep(time.Now())
				}
			})
		}
	}
}

// TestOtherUsersStay: a logout of all ends only the user's sessions of this app.
func TestOtherUsersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		alice, again, bob := s.login("alice"), s.login("alice"), s.login("bob")
		id, err := s.web.Authenticate(t.Context(), alice.Cookie.Value())
		s.must(err)
		s.must(s.sessions.Logout(t.Context(), id, false))
		s.want("the session", s.authenticate(alice), auth.ErrSessionRevoked)
		s.want("the user's other session", s.authenticate(again), nil)
		s.must(s.sessions.Logout(t.Context(), again.Identity(), true))
		s.want("after all", s.authenticate(again), auth.ErrSessionRevoked)
		s.want("another user", s.authenticate(bob), nil)
	})
}

// TestStreamsEnd: an open response of a browser ends when its session or the parent is revoked.
func TestStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := s.phone("alice")
		child, sibling := s.child(&phone.Identity), s.child(&phone.Identity)
		ended := map[string]int{}
		for name, opened := range map[string]*web.Opened{"child": child, "sibling": sibling} {
			id, err := s.web.Authenticate(t.Context(), opened.Cookie.Value())
			s.must(err)
			defer s.set.Watch(id, func() { ended[name]++ })()
		}
		s.must(s.sessions.Logout(t.Context(), child.Identity(), false))
		if ended["child"] != 1 || ended["sibling"] != 0 {
			t.Errorf("after a logout of the child: %v", ended)
		}
		s.must(s.sessions.Logout(t.Context(), &phone.Identity, false))
		if ended["child"] != 1 || ended["sibling"] != 1 || s.set.Watches() != 0 {
			t.Errorf("after a logout of the parent: %v, %d watches", ended, s.set.Watches())
		}
		late := 0
		s.set.Watch(&auth.Identity{Session: "x", Parent: phone.Identity.Session}, func() { late++ })()
		if late != 1 {
			t.Error("a stream that begins after the revocation of the parent is not ended")
		}
	})
}
