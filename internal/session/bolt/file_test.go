package bolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// TestReopen: everything that was acknowledged is present after the file was closed and opened
// again.
func TestReopen(t *testing.T) {
	t.Parallel()
	c, path, box := sessiontest.NewClock(), tempFile(t), sessiontest.MustBox(t, sessiontest.SecretOne)
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	store := storeOn(t, file, c, box)
	kept, ended, byUser := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, store, sessiontest.Alice, c, "k2"), sessiontest.Begin(t, store, sessiontest.Bob, c, "k3")
	sessiontest.End(t, store, ended.ID)
	sessiontest.Must(t, sessiontest.ErrOf(store.EndUser(t.Context(), sessiontest.Bob, c.Now(), time.Time{})))
	sessiontest.Must(t, store.RevokeKey(t.Context(), "key9", c.Now().Add(sessiontest.Access)))
	before := store.Count()
	sessiontest.Must(t, file.Close())

	store = openAt(t, path, c, box)
	if after := store.Count(); after != before {
		t.Errorf("%+v came back as %+v", before, after)
	}
	if _, err := store.Session(t.Context(), kept.ID); err != nil {
		t.Error(err)
	}
	if got := sessiontest.KeysOf(t, store, sessiontest.Alice); !slices.Equal(got, []string{"k2", "k1"}) {
		t.Errorf("keys %v", got)
	}
	byKey := sessiontest.Bearer(kept)
	byKey.Key = "key9"
	for name, id := range map[string]*auth.Identity{"session": sessiontest.Bearer(ended), "user": sessiontest.Bearer(byUser), "key": byKey} {
		if !store.Set.Revoked(id) {
			t.Errorf("the revocation of a %s is lost", name)
		}
	}
	if store.Set.Revoked(sessiontest.Bearer(kept)) {
		t.Error("revoked by opening")
	}
}

func TestFileIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	openAt(t, path, sessiontest.NewClock(), sessiontest.MustBox(t, sessiontest.SecretOne))
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		info, err := os.Stat(name)
		sessiontest.Must(t, err)
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
}

// TestNothingReadableAtRest: a copy of the file, taken at any moment, reveals nothing about any
// user.
func TestNothingReadableAtRest(t *testing.T) {
	t.Parallel()
	c, path := sessiontest.NewClock(), tempFile(t)
	store := openAt(t, path, c, sessiontest.MustBox(t, sessiontest.SecretOne))
	user := auth.User{App: "wxMarkedApp", OpenID: "oMarkedOpenid"}
	s := sessiontest.NewSession(user, c)
	s.UnionID, s.Phone = "uMarkedUnionid", "+8610012345678"
	first := auth.NewRefreshToken(s.ID)
	s.Refresh = auth.StartRefresh(first)
	_, err := s.Refresh.Rotate(first, auth.NewRefreshToken(s.ID), c.Now(), auth.RefreshGrace)
	sessiontest.Must(t, err)
	sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "MarkedSessionKey=="}, auth.SessionLimit{})))
	sessiontest.Must(t, store.PutSessionKey(t.Context(), user, auth.SessionKey{Key: "MarkedSecondKey=="}))
	other := sessiontest.Begin(t, store, user, c, "")
	sessiontest.End(t, store, other.ID)
	look := func(when string) {
		raw, err := os.ReadFile(path)
		sessiontest.Must(t, err)
		for name, mark := range map[string]string{
			"openid": "oMarkedOpenid", "unionid": "uMarkedUnionid", "appid": "wxMarkedApp", "phone": "10012345678",
			"session_key": "MarkedSessionKey", "second session_key": "MarkedSecondKey",
			"digest": string(s.Refresh.Current[:]), "previous digest": string(s.Refresh.Previous[:]),
			"successor": string(s.Refresh.Successor), "refresh token": strings.TrimPrefix(first.String(), "wxr_"),
			"root secret": string(sessiontest.SecretOne),
		} {
			if bytes.Contains(raw, []byte(mark)) {
				t.Errorf("%s: the %s is readable in the file", when, name)
			}
		}
	}
	look("with sessions")
	sessiontest.Must(t, sessiontest.ErrOf(store.EndUser(t.Context(), user, c.Now(), time.Time{})))
	look("after the end")
}

// TestRecordsDoNotMove: a record that is copied to another session's place cannot be opened there.
// One user must not get another's session.
func TestRecordsDoNotMove(t *testing.T) {
	t.Parallel()
	c, path, box := sessiontest.NewClock(), tempFile(t), sessiontest.MustBox(t, sessiontest.SecretOne)
	file, err := bolt.Open(path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	store := storeOn(t, file, c, box)
	mine, his := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1"), sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
	sessiontest.Must(t, file.Close())
	edit(t, path, func(b buckets) { b.swap("sessions") })
	store = openAt(t, path, c, box)
	for _, s := range []*auth.Session{mine, his} {
		if got, err := store.Session(t.Context(), s.ID); !errors.Is(err, auth.ErrNoSession) || !errors.Is(err, session.ErrCorrupt) {
			t.Errorf("got %+v, %v; want ErrNoSession because of ErrCorrupt", got, err)
		}
		if keys := sessiontest.KeysOf(t, store, s.User); len(keys) != 0 {
			t.Errorf("%v got %v", s.User, keys)
		}
		sessiontest.Must(t, sessiontest.ErrOf(store.Create(t.Context(), sessiontest.NewSession(s.User, c), auth.SessionKey{Key: "k3"}, auth.SessionLimit{}))) // no user is locked out
		sessiontest.Must(t, sessiontest.ErrOf(store.EndUser(t.Context(), s.User, c.Now(), time.Time{})))
		if !store.Set.Revoked(sessiontest.Bearer(s)) {
			t.Error("a session that cannot be read cannot be ended either")
		}
	}
}
