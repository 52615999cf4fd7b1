package bolt_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// killRounds is how often the process is killed.
const killRounds = 30

// journal is what a killed process had acknowledged.
type journal struct {
	logins   map[auth.SessionID]auth.User
	refresh  map[auth.SessionID]string // the last issued token
	ended    map[auth.SessionID]bool
	maybe    map[auth.SessionID]bool // an end or a rotation was in progress
	allEnded map[auth.User]auth.SessionID
	keys     map[auth.KeyID]bool
	// erased are the sessions of users who were erased, or may be.
	erased map[auth.SessionID]bool
	// single were ended individually, or may be: the revocation has the ID.
	single map[auth.SessionID]bool
}

// TestKill kills a real process with SIGKILL at any moment of logins, refreshes, logouts and
// key revocations, and checks that nothing it had acknowledged is undone.
func TestKill(t *testing.T) {
	// Not in parallel: between fork and exec a child inherits the files that other tests
	// have open, and with them bbolt's locks. The fake clock of the model test would end
	// the wait for a lock at once.
	path := filepath.Join(t.TempDir(), "sessions.db")
	total := 0
	j := newJournal()
	for round := range killRounds {
		lines := killOne(t, path, round)
		total += len(lines)
		for _, line := range lines {
			j.enter(t, line)
		}
		j.check(t, path)
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	if total < killRounds {
		t.Fatalf("%d acknowledgements in %d rounds: too few", total, killRounds)
	}
	t.Logf("%d acknowledgements in %d rounds, none undone", total, killRounds)
}

// killOne runs the process until it has acknowledged a number of operations that differs with
// each round, kills it within the next operation, and returns its journal.
func killOne(t *testing.T, path string, round int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	stdout, err := cmd.StdoutPipe()
	sessiontest.Must(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	sessiontest.Must(t, cmd.Start())
	var lines []string
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		line, ok := strings.CutPrefix(scanner.Text(), killMark)
		if !ok {
			continue
		}
		if lines = append(lines, line); len(lines) == 5+7*round%60 {
			// Somewhere within the next operations, not between two of them.
			time.AfterFunc(time.Duration(round*137%5000)*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := scanner.Err(); err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	err = cmd.Wait()
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("round %d: the process ended by itself: %v\n%s", round, err, stderr.String())
	}
	return lines
}

func newJournal() *journal {
	return &journal{
		logins: map[auth.SessionID]auth.User{}, refresh: map[auth.SessionID]string{},
		ended: map[auth.SessionID]bool{}, maybe: map[auth.SessionID]bool{},
		allEnded: map[auth.User]auth.SessionID{}, keys: map[auth.KeyID]bool{},
		erased: map[auth.SessionID]bool{}, single: map[auth.SessionID]bool{},
	}
}

// enter adds a line of the journal: an operation that begins ("try") or has finished ("did").
func (j *journal) enter(t *testing.T, line string) {
	t.Helper()
	var when, what, id, arg string
	if n, err := fmt.Sscan(line, &when, &what, &id, &arg); err != nil || n != 4 {
		return // truncated by the kill
	}
	sid := auth.SessionID(id)
	switch when + " " + what {
	case "try end", "try refresh":
		j.maybe[sid] = true
		j.single[sid] = j.single[sid] || what == "end"
	case "did login":
		u := auth.User{App: "wx1", OpenID: auth.OpenID(arg)}
		j.logins[sid] = u
	case "did token", "did refresh":
		j.refresh[sid] = arg
		delete(j.maybe, sid)
	case "did end":
		j.ended[sid] = true
		delete(j.maybe, sid)
	case "try endall":
		for s, u := range j.logins {
			j.maybe[s] = j.maybe[s] || u.OpenID == auth.OpenID(arg)
		}
	case "try erase":
		for s, u := range j.logins {
			if u.OpenID == auth.OpenID(arg) && !j.ended[s] {
				j.maybe[s], j.erased[s] = true, true
			}
		}
	case "did endall", "did erase":
		for s, u := range j.logins {
			if u.OpenID == auth.OpenID(arg) {
				j.ended[s] = true
			}
		}
	case "did key":
		j.keys[auth.KeyID(arg)] = true
	}
}

// check opens the file that the killed process left and compares it with the journal.
func (j *journal) check(t *testing.T, path string) {
	t.Helper()
	wantSound(t, path)
	file, err := bolt.Open(path, session.Options{})
	sessiontest.Must(t, err)
	defer func() { sessiontest.Must(t, file.Close()) }()
	store, err := file.Store(sessiontest.MustBox(t, sessiontest.SecretOne), time.Now)
	sessiontest.Must(t, err)
	for key := range j.keys {
		if !file.Revocations().Revoked(&auth.Identity{Key: key}) {
			t.Errorf("signing key %s is no longer revoked", key)
		}
	}
	for id, user := range j.logins {
		s, err := store.Session(t.Context(), id)
		revoked := file.Revocations().Revoked(&auth.Identity{User: user, Session: id})
		switch {
		case j.ended[id] && (!errors.Is(err, auth.ErrNoSession) || !revoked):
			t.Errorf("session %s was ended: %v, revoked %v", id, err, revoked)
		case (err == nil) == revoked:
			t.Errorf("session %s: %v and revoked %v", id, err, revoked)
		case !j.ended[id] && !j.maybe[id] && err != nil:
			t.Errorf("session %s was acknowledged and is gone: %v", id, err)
		case err == nil && !j.maybe[id] && !knows(t, s, j.refresh[id]):
			t.Errorf("session %s does not know the refresh token that was issued", id)
		}
	}
	j.checkErased(t, path, file, store)
}

// checkErased checks that sessions which ended with an erasure are in no byte of the file, once
// the first sweep has finished the interrupted wipe.
func (j *journal) checkErased(t *testing.T, path string, file *bolt.File, store auth.Store) {
	t.Helper()
	_, err := file.Sweep(t.Context(), time.Now(), session.SweepLimit)
	sessiontest.Must(t, err)
	all, err := os.ReadFile(path)
	sessiontest.Must(t, err)
	for id := range j.erased {
		key, _ := id.Bytes()
		_, err := store.Session(t.Context(), id)
		if errors.Is(err, auth.ErrNoSession) && !j.single[id] && bytes.Contains(all, key[:]) {
			t.Errorf("session %s was erased with its user, but is in the file", id)
		}
	}
}

func knows(t *testing.T, s *auth.Session, token string) bool {
	t.Helper()
	if token == "" {
		return true // killed between the login's two lines
	}
	presented, err := auth.ParseRefreshToken(token)
	sessiontest.Must(t, err)
	return s.Refresh.Knows(presented)
}
