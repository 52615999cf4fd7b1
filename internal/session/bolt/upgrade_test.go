package bolt_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// oldFile is a file written by an older wxgate, with its content: testdata/schema1.txt or
// schema2.txt has a line for each session ("live" or "ended", session, app, openid,
// refresh token), for the session keys of each user, and for the time.
type oldFile struct {
	path     string
	now      time.Time
	sessions []oldSession
	keys     map[auth.User][]string
}

type oldSession struct {
	live  bool
	id    auth.SessionID
	user  auth.User
	token auth.RefreshToken
}

func openOldFile(t *testing.T, schema int) oldFile {
	t.Helper()
	old := oldFile{path: tempFile(t), keys: make(map[auth.User][]string)}
	sessiontest.Must(t, os.MkdirAll(strings.TrimSuffix(old.path, "/sessions.db"), 0o700))
	name := fmt.Sprintf("testdata/schema%d", schema)
	sessiontest.CopyFile(t, name+".db", old.path)
	text, err := os.Open(name + ".txt")
	sessiontest.Must(t, err)
	defer func() { _ = text.Close() }()
	for lines := bufio.NewScanner(text); lines.Scan(); {
		switch f := strings.Fields(lines.Text()); f[0] {
		case "now":
			var micros int64
			_, err := fmt.Sscan(f[1], &micros)
			sessiontest.Must(t, err)
			old.now = time.UnixMicro(micros)
		case "keys":
			keys := strings.Fields(strings.Trim(strings.Join(f[3:], " "), "[]"))
			old.keys[auth.User{App: auth.AppID(f[1]), OpenID: auth.OpenID(f[2])}] = keys
		default:
			token, err := auth.ParseRefreshToken(f[4])
			sessiontest.Must(t, err)
			user := auth.User{App: auth.AppID(f[2]), OpenID: auth.OpenID(f[3])}
			old.sessions = append(old.sessions, oldSession{f[0] == "live", auth.SessionID(f[1]), user, token})
		}
	}
	return old
}

// TestUpgrade: everything in a file of an older schema is present after the first start with it.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, schema := range []int{1, 2} {
		t.Run(fmt.Sprintf("schema %d", schema), func(t *testing.T) {
			t.Parallel()
			upgraded(t, schema)
		})
	}
}

func upgraded(t *testing.T, schema int) {
	old := openOldFile(t, schema)
	sessiontest.Must(t, os.WriteFile(old.path+".upgrade", []byte("left by a crash"), 0o600))
	if report, err := bolt.Check(old.path); err != nil || report.Schema != schema || len(report.Problems) > 0 {
		t.Fatalf("the old file: %+v, %v", report, err)
	}
	c := sessiontest.NewClock()
	c.Advance(old.now.Sub(c.Now()))
	file, err := bolt.Open(old.path, session.Options{Now: c.Now})
	sessiontest.Must(t, err)
	store := storeOn(t, file, c, sessiontest.MustBox(t, sessiontest.SecretOne))
	lives := 0
	for _, s := range old.sessions {
		got, err := store.Session(t.Context(), s.id)
		revoked := store.Set.Revoked(&auth.Identity{Session: s.id, User: s.user})
		if !s.live || s.user == sessiontest.Bob { // all sessions of Bob were ended last
			if !errors.Is(err, auth.ErrNoSession) || !revoked {
				t.Errorf("session %s had ended: %v, revoked %v", s.id, err, revoked)
			}
			continue
		}
		lives++
		if err != nil || revoked || got.ID != s.id || got.User != s.user || !got.Refresh.Knows(s.token) {
			t.Errorf("session %s: %+v, %v, revoked %v", s.id, got, err, revoked)
		}
	}
	for user, want := range old.keys {
		if got := sessiontest.KeysOf(t, store, user); !slices.Equal(got, want) {
			t.Errorf("%v has the keys %v, want %v", user, got, want)
		}
	}
	wantUsersOf := func(want ...auth.User) { // carol, too, is another person in one of the files
		t.Helper()
		got, err := store.UsersOf(t.Context(), "union")
		sessiontest.Must(t, err)
		got = slices.DeleteFunc(got, func(u auth.User) bool { return u.OpenID == "carol" })
		slices.SortFunc(got, func(a, b auth.User) int {
			return strings.Compare(string(a.App+"/"+auth.AppID(a.OpenID)), string(b.App+"/"+auth.AppID(b.OpenID)))
		})
		if !slices.Equal(got, want) {
			t.Errorf("the users of the person are %v, want %v", got, want)
		}
	}
	wantUsersOf(sessiontest.Alice, sessiontest.OtherAlice)
	c.Advance(time.Second)
	sessiontest.End(t, store, sessiontest.Begin(t, store, sessiontest.OtherAlice, c, "k").ID)
	newest := sessiontest.Begin(t, store, sessiontest.Bob, c, "k")
	wantUsersOf(sessiontest.Alice, sessiontest.Bob, sessiontest.OtherAlice)
	sessiontest.End(t, store, newest.ID)
	wantUsersOf(sessiontest.Alice, sessiontest.OtherAlice)
	if !store.Set.Revoked(&auth.Identity{Key: "key9"}) {
		t.Error("the revocation of a signing key is lost")
	}
	sessiontest.Must(t, store.UpdateAttempts(t.Context(), sessiontest.Alice, func(a *auth.Attempts) {
		if a.Failed != 3 {
			t.Errorf("attempts %+v, want 3 failures", a)
		}
	}))
	if n, err := store.EndUser(t.Context(), sessiontest.Alice, c.Now(), time.Time{}); err != nil || n == 0 || store.Count().Sessions != lives-n {
		t.Errorf("EndUser: %d, %v; %+v remain of %d", n, err, store.Count(), lives)
	}
	c.Advance(sessiontest.Life)
	if _, err := store.Sweep(t.Context(), c.Now(), 5); err != nil || store.Count() != (session.Counts{}) {
		t.Errorf("%+v is left after the sweep: %v", store.Count(), err)
	}
	sessiontest.Must(t, file.Close())
	wantSound(t, old.path)
	if info, err := os.Stat(old.path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestUpgradeFails: an upgrade that fails leaves the old file as it was.
func TestUpgradeFails(t *testing.T) {
	t.Parallel()
	old := openOldFile(t, 1)
	before, err := os.ReadFile(old.path)
	sessiontest.Must(t, err)
	blocked := old.path + ".upgrade"
	sessiontest.Must(t, os.MkdirAll(blocked+"/x", 0o700))
	if _, err := bolt.Open(old.path, session.Options{}); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("Open: %v, want ErrStoreUnavailable", err)
	}
	sessiontest.Must(t, os.RemoveAll(blocked))

	edit(t, old.path, func(b buckets) { b.dropAll("sessions") })
	if _, err := bolt.Open(old.path, session.Options{}); !errors.Is(err, session.ErrCorrupt) || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("Open: %v, want ErrCorrupt with advice", err)
	}
	if report, err := bolt.Check(old.path); err != nil || report.Schema != 1 {
		t.Errorf("got %+v, %v", report, err)
	}
	if _, err := os.Stat(blocked); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new file is left: %v", err)
	}

	sessiontest.Must(t, os.WriteFile(old.path, before, 0o600))
	if _, _, err := bolt.Compact(old.path); err != nil {
		t.Fatal(err)
	}
	if report, err := bolt.Check(old.path); err != nil || report.Schema != 3 || report.Sessions == 0 || len(report.Problems) > 0 {
		t.Errorf("after a compaction: %+v, %v", report, err)
	}
}
