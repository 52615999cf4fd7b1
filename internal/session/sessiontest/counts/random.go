package counts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// operations is how many random operations a test performs; each takes milliseconds in a file.
const operations = 300

// random does random operations on a store.
type random struct {
	testing.TB
	rand  *rand.Rand
	c     *sessiontest.Clock
	users []auth.User
	begun []auth.SessionID
}

// Random logs users in and out at random through several stores of the same data, such as those
// of two machines. After each operation it compares the counts of each store with a list of all
// sessions.
func Random(t *testing.T, c *sessiontest.Clock, stores ...sessiontest.Store) {
	t.Helper()
	r := &random{TB: t, c: c, rand: rand.New(rand.NewPCG(1, 2))} //nolint:gosec // G404: the same in each run
	for i := range 6 {
		r.users = append(r.users, auth.User{App: "wx1", OpenID: auth.OpenID(fmt.Sprintf("user%d", i))})
	}
	mostly := []func(sessiontest.Store){r.login, r.login, r.login, r.refresh, r.logout, r.advance, r.advance}
	seldom := []func(sessiontest.Store){r.logoutEverywhere, r.erase}
	for i := range operations {
		c.Advance(time.Millisecond)
		do := mostly[r.rand.IntN(len(mostly))]
		if i%10 == 0 {
			do = seldom[r.rand.IntN(len(seldom))]
		}
		do(stores[r.rand.IntN(len(stores))])
		compare(t, c, stores...)
	}
}

func (r *random) user() auth.User { return r.users[r.rand.IntN(len(r.users))] }

func (r *random) login(store sessiontest.Store) {
	s := sessiontest.NewSession(r.user(), r.c)
	s.Device = []auth.Device{auth.DeviceOther, auth.DeviceIOS}[r.rand.IntN(2)]
	s.AbsoluteEnd = r.c.Now().Add(time.Duration(1+r.rand.IntN(24)) * time.Hour) // some end before an older session
	limit := auth.SessionLimit{Sessions: r.rand.IntN(4), PerDevice: r.rand.IntN(2) == 0}
	sessiontest.Must(r, sessiontest.ErrOf(store.Create(r.Context(), s, auth.SessionKey{Key: "k"}, limit)))
	r.begun = append(r.begun, s.ID)
}

func (r *random) refresh(store sessiontest.Store) {
	r.update(store, func(s *auth.Session) (auth.Verdict, error) {
		s.IdleEnd = r.c.Now().Add(sessiontest.Idle)
		return auth.Save, nil
	})
}

func (r *random) logout(store sessiontest.Store) {
	r.update(store, func(*auth.Session) (auth.Verdict, error) { return auth.End, nil })
}

// update updates one of the latest sessions, which may have ended.
func (r *random) update(store sessiontest.Store, decide func(*auth.Session) (auth.Verdict, error)) {
	if len(r.begun) == 0 {
		return
	}
	id := r.begun[len(r.begun)-1-r.rand.IntN(min(len(r.begun), 10))]
	if err := store.Update(r.Context(), id, decide); err != nil && !errors.Is(err, auth.ErrNoSession) {
		r.Error(err)
	}
}

func (r *random) advance(sessiontest.Store) {
	steps := []time.Duration{time.Minute, time.Hour, sessiontest.Idle / 2}
	r.c.Advance(steps[r.rand.IntN(len(steps))])
}

func (r *random) logoutEverywhere(store sessiontest.Store) {
	sessiontest.Must(r, sessiontest.ErrOf(store.EndUser(r.Context(), r.user(), r.c.Now(), time.Time{})))
}

func (r *random) erase(store sessiontest.Store) {
	sessiontest.Must(r, sessiontest.ErrOf(store.Erase(r.Context(), r.user(), r.c.Now(), time.Time{})))
}

// compare compares the counts of each store with a list of all sessions.
func compare(t testing.TB, c *sessiontest.Clock, stores ...sessiontest.Store) {
	t.Helper()
	sweep(t, stores[0], c)
	listed := list(t, stores[0])
	for _, store := range stores {
		want(t, store, listed.Sessions, listed.Users)
	}
}

// list counts the sessions that a store lists, page by page.
func list(t testing.TB, store sessiontest.Store) session.Counts {
	t.Helper()
	sessions, users := make(map[auth.SessionID]bool), make(map[auth.User]bool)
	for query := (auth.Query{Limit: 20}); ; {
		page, err := store.List(t.Context(), query)
		sessiontest.Must(t, err)
		for _, s := range page.Sessions {
			sessions[s.ID], users[s.User] = true, true
		}
		if page.Next == "" {
			return session.Counts{Sessions: len(sessions), Users: len(users)}
		}
		query.Cursor = page.Next
	}
}
