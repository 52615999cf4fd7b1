package bolt_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

const (
	// killEnv marks the test binary as the process to be killed, and has the path of its
	// file.
	killEnv = "WXGATE_KILL_FILE"
	// killMark begins the lines of the process's journal: the testing package writes to
	// standard output too.
	killMark = "wxgate-kill: "
	// killWorkers log in and out at the same time, so that commits are shared.
	killWorkers = 4
)

// TestKillChild is the process that TestKill kills. When run directly, it does nothing.
func TestKillChild(t *testing.T) {
	path := os.Getenv(killEnv)
	if path == "" {
		return
	}
	file, err := bolt.Open(path, session.Options{SweepEvery: 5 * time.Millisecond})
	sessiontest.Must(t, err)
	file.Start()
	store, err := file.Store(sessiontest.MustBox(t, sessiontest.SecretOne), time.Now)
	sessiontest.Must(t, err)
	service := sessiontest.ServiceOver(sessiontest.Store{Store: store, Set: file.Revocations()}, time.Now, sessiontest.KeyOne)
	var wg sync.WaitGroup
	for i := range killWorkers {
		wg.Go(func() {
			w := &worker{TB: t, service: service, store: store, name: fmt.Sprintf("user%d-%d", i, os.Getpid())}
			for { // until it is killed
				w.step()
			}
		})
	}
	wg.Wait()
}

// worker is one user, whose operations run one after the other.
type worker struct {
	testing.TB
	service *auth.Service
	store   auth.Store
	name    string
	grants  []*auth.Grant
}

// say writes a line of the journal. A written line survives the kill.
func (w *worker) say(format string, args ...any) {
	if _, err := fmt.Fprintf(os.Stdout, "\n"+killMark+format+"\n", args...); err != nil {
		w.Error(err)
	}
}

// must ends the process on an error, which the parent reports as a failure.
func (w *worker) must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:revive // this is a separate process
	}
}

func (w *worker) step() {
	pick := rand.IntN(20)
	switch {
	case len(w.grants) == 0 || pick < 6 && len(w.grants) < auth.MaxUserSessions/4:
		w.login()
	case pick < 14:
		w.refresh(rand.IntN(len(w.grants)))
	case pick < 18:
		w.end(rand.IntN(len(w.grants)))
	case pick < 19 && rand.IntN(2) == 0:
		w.say("try erase - %s", w.name)
		user := auth.User{App: "wx1", OpenID: auth.OpenID(w.name)}
		_, err := w.store.Erase(w.Context(), user, time.Now(), time.Now().Add(sessiontest.Access))
		w.must(err)
		w.say("did erase - %s", w.name)
		w.grants = nil
	case pick < 19:
		w.say("try endall - %s", w.name)
		w.must(sessiontest.ErrOf(w.service.EndUser(w.Context(), auth.User{App: "wx1", OpenID: auth.OpenID(w.name)}, auth.CauseOperator)))
		w.say("did endall - %s", w.name)
		w.grants = nil
	default:
		key := fmt.Sprintf("key-%d", rand.Int64())
		w.must(w.store.RevokeKey(w.Context(), auth.KeyID(key), time.Now().Add(sessiontest.Access)))
		w.say("did key - %s", key)
	}
}

func (w *worker) login() {
	grant, err := w.service.Login(w.Context(), "wx1", w.name+" key", auth.Client{Device: auth.DeviceOther})
	w.must(err)
	w.grants = append(w.grants, grant)
	w.say("did login %s %s", grant.Identity.Session, w.name)
	w.say("did token %s %s", grant.Identity.Session, grant.RefreshToken)
}

func (w *worker) refresh(i int) {
	id := w.grants[i].Identity.Session
	w.say("try refresh %s -", id)
	grant, err := w.service.Refresh(w.Context(), w.grants[i].RefreshToken, sessiontest.AnyApp)
	w.must(err)
	w.grants[i] = grant
	w.say("did refresh %s %s", id, grant.RefreshToken)
}

func (w *worker) end(i int) {
	id := w.grants[i].Identity.Session
	w.say("try end %s -", id)
	w.must(w.service.Logout(w.Context(), &w.grants[i].Identity, false))
	w.grants = append(w.grants[:i:i], w.grants[i+1:]...)
	w.say("did end %s -", id)
}
