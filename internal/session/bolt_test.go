package session_test

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
)

// tempFile is the path of a store that is not there yet, nor is its directory.
func tempFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "data", "sessions.db")
}

// Everything that returned nil is there after the file was closed and opened.
func TestReopen(t *testing.T) {
	t.Parallel()
	c, path, box := newClock(), tempFile(t), mustBox(t, secretOne)
	file, err := session.OpenFile(path, session.Options{Now: c.Now})
	must(t, err)
	store := over(t, file, c, box)
	kept, ended, byUser := begin(t, store, alice, c, "k1"), begin(t, store, alice, c, "k2"), begin(t, store, bob, c, "k3")
	end(t, store, ended.ID)
	must(t, errOf(store.EndUser(t.Context(), bob, c.Now(), time.Time{})))
	must(t, store.RevokeKey(t.Context(), "key9", c.Now().Add(access)))
	before := store.stats()
	must(t, file.Close())

	store = openBoltAt(t, path, c, box)
	if after := store.stats(); after != before {
		t.Errorf("%+v came back as %+v", before, after)
	}
	if _, err := store.Session(t.Context(), kept.ID); err != nil {
		t.Error(err)
	}
	if got := keysOf(t, store, alice); !slices.Equal(got, []string{"k2", "k1"}) {
		t.Errorf("keys %v", got)
	}
	byKey := bearer(kept)
	byKey.Key = "key9"
	for name, id := range map[string]*auth.Identity{"session": bearer(ended), "user": bearer(byUser), "key": byKey} {
		if !store.set.Revoked(id) {
			t.Errorf("the revocation of a %s is lost", name)
		}
	}
	if store.set.Revoked(bearer(kept)) {
		t.Error("revoked by opening")
	}
}

func TestFileIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	openBoltAt(t, path, newClock(), mustBox(t, secretOne))
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
	}
}

// Whoever copies the file learns nothing of anybody, at whatever moment.
func TestNothingReadableAtRest(t *testing.T) {
	t.Parallel()
	c, path := newClock(), tempFile(t)
	store := openBoltAt(t, path, c, mustBox(t, secretOne))
	user := auth.User{App: "wxMarkedApp", OpenID: "oMarkedOpenid"}
	s := sessionOf(user, c)
	s.UnionID, s.Phone = "uMarkedUnionid", "+8610012345678"
	first := auth.NewRefreshToken(s.ID)
	s.Refresh = auth.StartRefresh(first)
	_, err := s.Refresh.Rotate(first, auth.NewRefreshToken(s.ID), c.Now(), auth.RefreshGrace)
	must(t, err)
	must(t, store.Create(t.Context(), s, auth.SessionKey{Key: "MarkedSessionKey=="}))
	must(t, store.PutSessionKey(t.Context(), user, auth.SessionKey{Key: "MarkedSecondKey=="}))
	other := begin(t, store, user, c, "")
	end(t, store, other.ID)
	look := func(when string) {
		raw, err := os.ReadFile(path)
		must(t, err)
		for name, mark := range map[string]string{
			"openid": "oMarkedOpenid", "unionid": "uMarkedUnionid", "appid": "wxMarkedApp", "phone": "10012345678",
			"session_key": "MarkedSessionKey", "second session_key": "MarkedSecondKey",
			"digest": string(s.Refresh.Current[:]), "previous digest": string(s.Refresh.Previous[:]),
			"successor": string(s.Refresh.Successor), "refresh token": strings.TrimPrefix(first.String(), "wxr_"),
			"root secret": string(secretOne),
		} {
			if bytes.Contains(raw, []byte(mark)) {
				t.Errorf("%s: the %s is readable in the file", when, name)
			}
		}
	}
	look("with sessions")
	must(t, errOf(store.EndUser(t.Context(), user, c.Now(), time.Time{})))
	look("after the end")
}

// A record that was copied to another session's place does not open there: one
// user must not get another's session.
func TestRecordsDoNotMove(t *testing.T) {
	t.Parallel()
	c, path, box := newClock(), tempFile(t), mustBox(t, secretOne)
	file, err := session.OpenFile(path, session.Options{Now: c.Now})
	must(t, err)
	store := over(t, file, c, box)
	mine, his := begin(t, store, alice, c, "k1"), begin(t, store, bob, c, "k2")
	must(t, file.Close())
	edit(t, path, func(b buckets) {
		b.swap("sessions")
		b.swap("keys")
	})
	store = openBoltAt(t, path, c, box)
	for _, s := range []*auth.Session{mine, his} {
		if got, err := store.Session(t.Context(), s.ID); !errors.Is(err, auth.ErrNoSession) || !errors.Is(err, session.ErrCorrupt) {
			t.Errorf("got %+v, %v; want ErrNoSession because of ErrCorrupt", got, err)
		}
		if keys := keysOf(t, store, s.User); len(keys) != 0 {
			t.Errorf("%v got %v", s.User, keys)
		}
		must(t, store.Create(t.Context(), sessionOf(s.User, c), auth.SessionKey{Key: "k3"})) // nobody is locked out
		must(t, errOf(store.EndUser(t.Context(), s.User, c.Now(), time.Time{})))
		if !store.set.Revoked(bearer(s)) {
			t.Error("a session that cannot be read cannot be ended either")
		}
	}
}
