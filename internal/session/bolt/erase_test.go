package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// crowd is a file with sessions of many users, whose pages were rewritten many times.
type crowd struct {
	testing.TB
	path  string
	file  *bolt.File
	store *bolt.Store
	c     *sessiontest.Clock
	users []auth.User
	// traces are the keys and values that the file had of each user at any time.
	traces map[auth.User]map[string][]byte
	// ended are the keys of sessions that were ended individually.
	ended map[string]bool
}

func newCrowd(t testing.TB, users int) *crowd {
	t.Helper()
	c := sessiontest.NewClock()
	path := tempFile(t)
	file := openFile(t, path, c)
	store, err := file.Store(sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	sessiontest.Must(t, err)
	in := &crowd{TB: t, path: path, file: file, store: store, c: c, traces: make(map[auth.User]map[string][]byte), ended: make(map[string]bool)}
	for i := range users {
		u := auth.User{App: "wx1", OpenID: auth.OpenID(fmt.Sprintf("oUser-%05d", i))}
		in.users, in.traces[u] = append(in.users, u), make(map[string][]byte)
	}
	return in
}

// live makes every user log in, refresh, fail to decrypt and log out, in random order.
func (in *crowd) live(rounds int) {
	in.Helper()
	for range rounds {
		for _, i := range rand.Perm(len(in.users)) {
			u := in.users[i]
			in.c.Advance(time.Second)
			one := sessiontest.Begin(in, in.store, u, in.c, fmt.Sprintf("key-%d", rand.Int64()))
			two := sessiontest.Begin(in, in.store, u, in.c, "")
			in.note(u)
			sessiontest.Must(in, in.store.Update(in.Context(), one.ID, func(s *auth.Session) (auth.Verdict, error) {
				s.Phone, s.IdleEnd = "+8610012345678", s.IdleEnd.Add(time.Minute)
				return auth.Save, nil
			}))
			if i%3 == 0 {
				sessiontest.Must(in, in.store.UpdateAttempts(in.Context(), u, func(a *auth.Attempts) {
					a.Failed, a.DayEnds = a.Failed+1, in.c.Now().Add(time.Hour)
				}))
			}
			in.note(u)
			switch i % 4 {
			case 1: // its ID outlives the user in the session's revocation
				sessiontest.End(in, in.store, two.ID)
				key, _ := two.ID.Bytes()
				in.ended[string(key[:])] = true
			case 2:
				sessiontest.Must(in, sessiontest.ErrOf(in.store.EndUser(in.Context(), u, in.c.Now(), in.c.Now().Add(sessiontest.Access))))
			}
			in.note(u)
		}
	}
}

func (in *crowd) note(u auth.User) {
	in.Helper()
	traces, err := in.store.Traces(u)
	sessiontest.Must(in, err)
	for name, trace := range traces {
		if len(trace) > 0 {
			in.traces[u][fmt.Sprintf("%s: %d %x", name, len(trace), trace[max(0, len(trace)-8):])] = trace
		}
	}
}

// found lists the traces of a user of which any part is in the file.
func (in *crowd) found(u auth.User) (names []string) {
	in.Helper()
	file, err := os.ReadFile(in.path)
	sessiontest.Must(in, err)
	for name, trace := range in.traces[u] {
		if in.ended[string(trace)] {
			continue
		}
		for _, part := range parts(trace) {
			if bytes.Contains(file, part) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// parts returns the beginning of a trace and its last bytes. A sealed value begins with a salt
// that it shares with others, and ends with its ciphertext. The head of a session's entry has
// two times before the user. Fewer than 16 bytes do not identify a user.
func parts(trace []byte) [][]byte {
	const n = 16
	switch {
	case len(trace) < n:
		return nil
	case len(trace) < 3*n:
		return [][]byte{trace}
	}
	return [][]byte{trace[n : 2*n], trace[len(trace)-2*n:][:n], trace[len(trace)-n:]}
}

func (in *crowd) wantErased(u auth.User) {
	in.Helper()
	if names := in.found(u); len(names) > 0 {
		in.Errorf("%d of %d traces of %s are in the file: %s", len(names), len(in.traces[u]), u.OpenID, strings.Join(names[:min(5, len(names))], "; "))
	}
}

// TestEraseLeavesNoByte: after an erasure, the file contains no key and no sealed byte of the
// user, even in free pages and after the last page. The other users are unchanged.
func TestEraseLeavesNoByte(t *testing.T) {
	t.Parallel()
	in := newCrowd(t, 60)
	in.live(4)
	kept := in.users[1]
	before := sessiontest.KeysOf(t, in.store, kept)
	for i := 2; i < len(in.users); i += 7 {
		u := in.users[i]
		if n := len(in.found(u)); n < 10 {
			t.Errorf("%d traces of %s before the erasure: the test would prove nothing", n, u.OpenID)
		}
		_, err := in.store.Erase(t.Context(), u, in.c.Now(), in.c.Now().Add(sessiontest.Access))
		sessiontest.Must(t, err)
		in.wantErased(u)
	}
	if got := sessiontest.KeysOf(t, in.store, kept); len(got) != len(before) || len(in.found(kept)) < 10 {
		t.Errorf("another user has %d keys of %d, and %d traces", len(got), len(before), len(in.found(kept)))
	}
	in.live(1)
	wantSound(t, in.path)
}

// TestEraseOfAUserWhoLoggedOut: a user whose sessions have all ended is in free pages only, and is
// erased there.
func TestEraseOfAUserWhoLoggedOut(t *testing.T) {
	t.Parallel()
	in := newCrowd(t, 40)
	in.live(2)
	u := in.users[2] // ended by EndUser
	if len(in.found(u)) == 0 {
		t.Fatal("the test would prove nothing")
	}
	got, err := in.store.Erase(t.Context(), u, in.c.Now(), in.c.Now())
	sessiontest.Must(t, err)
	if got.Sessions != 0 {
		t.Errorf("Erase returned %+v", got)
	}
	in.wantErased(u)
}

// TestWipeIsRepeatedAfterACrash: a crash after the commit leaves a mark, and the first sweep after
// the next start wipes the file.
func TestWipeIsRepeatedAfterACrash(t *testing.T) {
	t.Parallel()
	in := newCrowd(t, 40)
	in.live(2)
	u := in.users[3]
	sessiontest.Must(t, in.store.EraseWithoutWipe(t.Context(), u))
	if len(in.found(u)) == 0 {
		t.Fatal("nothing is left to wipe")
	}
	crashed := in.path + ".crashed"
	sessiontest.CopyFile(t, in.path, crashed)
	in.path = crashed
	file := openFile(t, crashed, in.c)
	for range 2 {
		_, err := file.Sweep(t.Context(), in.c.Now(), session.SweepLimit)
		sessiontest.Must(t, err)
		in.wantErased(u)
	}
	wantSound(t, crashed)
}

// TestEraseWaitsForReaders: a read transaction that began before the erasure sees the user until
// it ends. The erasure is not acknowledged, and succeeds when it is repeated.
func TestEraseWaitsForReaders(t *testing.T) {
	t.Parallel()
	in := newCrowd(t, 40)
	in.live(2)
	u := in.users[4]
	reading, seen := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { seen <- n }()
		err := in.store.Export(t.Context(), func(session.Entry) error {
			if n == 0 {
				reading <- struct{}{}
				<-reading
			}
			n++
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-reading
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := in.store.Erase(ctx, u, in.c.Now(), in.c.Now()); !errors.Is(err, auth.ErrStoreUnavailable) || !strings.Contains(err.Error(), "a long read of the file is under way") {
		t.Errorf("while a reader sees the user: %v", err)
	}
	close(reading)
	if n := <-seen; n < len(in.users) {
		t.Errorf("the reader saw %d entries", n)
	}
	_, err := in.store.Erase(t.Context(), u, in.c.Now(), in.c.Now())
	sessiontest.Must(t, err)
	in.wantErased(u)
}

// TestErasePersonLeavesNoByte: after the users of a person are erased, the file has no byte of any
// of them. A unionid does not find users who have logged out; once they are erased too, nothing
// names the person. Other persons are unchanged.
func TestErasePersonLeavesNoByte(t *testing.T) {
	t.Parallel()
	in := newCrowd(t, 24)
	in.live(2) // all users are one person; some have logged out
	other := sessiontest.NewSession(sessiontest.Bob, in.c)
	other.UnionID = "other"
	sessiontest.Must(t, sessiontest.ErrOf(in.store.Create(t.Context(), other, auth.SessionKey{Key: "k"}, auth.SessionLimit{})))
	person, err := in.store.Person("union")
	sessiontest.Must(t, err)
	if n := in.count(person); n == 0 {
		t.Fatal("the file does not name the person: the test would prove nothing")
	}
	users, err := in.store.UsersOf(t.Context(), "union")
	sessiontest.Must(t, err)
	if len(users) < 12 || len(users) == len(in.users) {
		t.Fatalf("%d users of %d are logged in", len(users), len(in.users))
	}
	for _, u := range users {
		if len(in.found(u)) < 10 {
			t.Errorf("too few traces of %s before the erasure", u.OpenID)
		}
		_, err := in.store.Erase(t.Context(), u, in.c.Now(), in.c.Now().Add(sessiontest.Access))
		sessiontest.Must(t, err)
	}
	for _, u := range users {
		in.wantErased(u)
	}
	for _, u := range in.users {
		_, err := in.store.Erase(t.Context(), u, in.c.Now(), in.c.Now().Add(sessiontest.Access))
		sessiontest.Must(t, err)
	}
	if n := in.count(person); n != 0 {
		t.Errorf("the file names the person %d times", n)
	}
	left, err := in.store.UsersOf(t.Context(), "other")
	if err != nil || len(left) != 1 {
		t.Errorf("another person has the users %v, %v", left, err)
	}
	wantSound(t, in.path)
}

// count returns how often the file contains part.
func (in *crowd) count(part []byte) int {
	in.Helper()
	file, err := os.ReadFile(in.path)
	sessiontest.Must(in, err)
	return bytes.Count(file, part)
}
