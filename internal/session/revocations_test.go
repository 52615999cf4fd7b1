package session_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

func identity(c *sessiontest.Clock, u auth.User) *auth.Identity {
	return sessiontest.Bearer(sessiontest.NewSession(u, c))
}

func TestSetMatchesExactly(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	id := identity(c, sessiontest.Alice)
	until := c.Now().Add(time.Hour)
	began := id.Session.Began()
	for name, test := range map[string]struct {
		rev  auth.Revocation
		want bool
	}{
		"its session":              {auth.Revocation{Session: id.Session}, true},
		"another session":          {auth.Revocation{Session: auth.NewSessionID(c.Now(), sessiontest.Alice)}, false},
		"its user, as it began":    {auth.Revocation{User: sessiontest.Alice, NotAfter: began}, true},
		"its user, within the ms":  {auth.Revocation{User: sessiontest.Alice, NotAfter: began.Add(time.Microsecond)}, true},
		"its user, 1 ms before":    {auth.Revocation{User: sessiontest.Alice, NotAfter: began.Add(-time.Millisecond)}, false},
		"another user":             {auth.Revocation{User: sessiontest.Bob, NotAfter: began}, false},
		"the openid of other apps": {auth.Revocation{User: sessiontest.OtherAlice, NotAfter: began}, false},
		"its key":                  {auth.Revocation{Key: id.Key}, true},
		"another key":              {auth.Revocation{Key: "key2"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := session.NewSet()
			test.rev.Until = until
			set.Add(test.rev)
			set.Add(test.rev)
			if got := set.Revoked(id); got != test.want {
				t.Fatalf("Revoked returned %v", got)
			}
			set.Sweep(until.Add(-time.Microsecond))
			if got := set.Revoked(id); got != test.want {
				t.Fatal("swept before its end")
			}
			if n := set.Sweep(until); n != 1 || set.Revoked(id) || set.Len() != 0 {
				t.Fatalf("swept %d, %d are left", n, set.Len())
			}
		})
	}
}

// TestSetRefusesForgedSessionID: a session ID that wxgate did not create could have begun at any
// time, and is refused.
func TestSetRefusesForgedSessionID(t *testing.T) {
	t.Parallel()
	set := session.NewSet()
	set.Add(auth.Revocation{User: sessiontest.Alice, NotAfter: time.UnixMilli(1), Until: time.UnixMilli(2)})
	if !set.Revoked(&auth.Identity{User: sessiontest.Alice, Session: "forged"}) {
		t.Fatal("admitted")
	}
}

func TestSetKeepsTheLaterTimes(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	id := identity(c, sessiontest.Alice)
	late, early := c.Now().Add(time.Hour), c.Now().Add(time.Minute)
	for name, revs := range map[string][2]auth.Revocation{
		"session":           {{Session: id.Session, Until: late}, {Session: id.Session, Until: early}},
		"user, until":       {{User: sessiontest.Alice, NotAfter: c.Now(), Until: late}, {User: sessiontest.Alice, NotAfter: c.Now(), Until: early}},
		"user, not after":   {{User: sessiontest.Alice, NotAfter: c.Now(), Until: early}, {User: sessiontest.Alice, Until: late}},
		"key":               {{Key: id.Key, Until: late}, {Key: id.Key, Until: early}},
		"key, longer later": {{Key: id.Key, Until: early}, {Key: id.Key, Until: late}},
	} {
		set := session.NewSet()
		set.Add(revs[0])
		set.Add(revs[1])
		set.Sweep(early)
		if !set.Revoked(id) {
			t.Errorf("%s: forgotten too early", name)
		}
		if set.Sweep(late); set.Revoked(id) {
			t.Errorf("%s: not forgotten", name)
		}
	}
}

// TestSetKeepsTheReason adds a replaced session's revocation before and after a plain one,
// which lasts longer or shorter.
func TestSetKeepsTheReason(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	id := identity(c, sessiontest.Alice)
	for _, lasts := range []time.Duration{-time.Minute, 0, time.Minute} {
		replaced := auth.Revocation{Session: id.Session, Until: c.Now().Add(time.Hour), Replaced: true}
		plain := auth.Revocation{Session: id.Session, Until: replaced.Until.Add(lasts)}
		for _, revs := range [][]auth.Revocation{{replaced, plain}, {plain, replaced}} {
			set := session.NewSet()
			set.Add(revs[0])
			if set.Replaced(id.Session) != revs[0].Replaced || set.Contains(replaced) != revs[0].Replaced {
				t.Errorf("%v: after the first, replaced is %v", lasts, set.Replaced(id.Session))
			}
			set.Add(revs[1])
			if !set.Replaced(id.Session) || !set.Contains(replaced) || !set.Contains(plain) {
				t.Errorf("%v: replaced is %v, contained are %v and %v", lasts, set.Replaced(id.Session), set.Contains(replaced), set.Contains(plain))
			}
			if set.Replaced(auth.NewSessionID(c.Now(), sessiontest.Alice)) {
				t.Error("another session is replaced")
			}
		}
	}
}

func TestSetSweepsManyInSteps(t *testing.T) {
	t.Parallel()
	set := session.NewSet()
	const many = 2500
	for i := range many {
		set.Add(auth.Revocation{Key: auth.KeyID(strconv.Itoa(i)), Until: time.UnixMilli(int64(i))})
	}
	if n := set.Sweep(time.UnixMilli(many)); n != many {
		t.Fatalf("swept %d of %d", n, many)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	set := session.NewSet()
	mine, his := identity(c, sessiontest.Alice), identity(c, sessiontest.Bob)
	var ended, others atomic.Int32
	stop := set.Watch(mine, func() { ended.Add(1) })
	stopHis := set.Watch(his, func() { others.Add(1) })
	set.Add(auth.Revocation{Session: auth.NewSessionID(c.Now(), sessiontest.Alice), Until: c.Now().Add(time.Hour)})
	set.Add(auth.Revocation{User: sessiontest.Alice, NotAfter: c.Now().Add(-time.Second), Until: c.Now().Add(time.Hour)})
	if ended.Load() != 0 || set.Watches() != 2 {
		t.Fatalf("ended by a revocation that does not match; %d are watched", set.Watches())
	}
	set.Add(auth.Revocation{Session: mine.Session, Until: c.Now().Add(time.Hour)})
	set.Add(auth.Revocation{User: sessiontest.Alice, NotAfter: c.Now(), Until: c.Now().Add(time.Hour)})
	set.Add(auth.Revocation{Key: "key2", Until: c.Now().Add(time.Hour)})
	if ended.Load() != 1 || others.Load() != 0 || set.Watches() != 1 {
		t.Fatalf("called %d and %d times; %d are watched", ended.Load(), others.Load(), set.Watches())
	}
	stop()
	stopHis()
	stopHis()
	set.Add(auth.Revocation{Key: his.Key, Until: c.Now().Add(time.Hour)})
	if others.Load() != 0 || set.Watches() != 0 {
		t.Fatalf("called after stop; %d are watched", set.Watches())
	}
	late := 0
	set.Watch(his, func() { late++ })()
	if late != 1 || set.Watches() != 0 {
		t.Fatalf("watching a revoked session: called %d times; %d are watched", late, set.Watches())
	}
}

func TestWatchKeys(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	set := session.NewSet()
	until := c.Now().Add(time.Hour)
	called := 0
	stop := set.WatchKeys(func() { called++; set.Len() }) // the set is not locked
	set.Add(auth.Revocation{User: sessiontest.Alice, NotAfter: c.Now(), Until: until})
	set.Add(auth.Revocation{Session: auth.NewSessionID(c.Now(), sessiontest.Alice), Until: until})
	if called != 0 {
		t.Fatal("called for revocations that are not of a key")
	}
	set.Add(auth.Revocation{Key: "key1", Until: until})
	if called != 1 {
		t.Fatalf("called %d, want 1, after the key's revocation is in effect", called)
	}
	stop()
	set.Add(auth.Revocation{Key: "key2", Until: until})
	if called != 1 {
		t.Fatal("called after stop")
	}
}

// TestWatchDoesNotDeadlock: onRevoked may use the set: it usually stops its own watch.
func TestWatchDoesNotDeadlock(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	set := session.NewSet()
	id := identity(c, sessiontest.Alice)
	called := false
	var stop func()
	stop = set.Watch(id, func() {
		stop()
		called = set.Revoked(id)
		set.Add(auth.Revocation{Key: id.Key, Until: c.Now().Add(time.Hour)})
	})
	set.Add(auth.Revocation{Key: id.Key, Until: c.Now().Add(time.Hour)})
	if !called {
		t.Fatal("not called, or called before the revocation was in effect")
	}
}

// TestWatchRace: streams that open while revocations are added are each ended exactly once.
func TestWatchRace(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	set := session.NewSet()
	var wg sync.WaitGroup
	var calls atomic.Int32
	for range sessiontest.AtOnce {
		id := identity(c, sessiontest.Alice)
		wg.Go(func() { set.Watch(id, func() { calls.Add(1) }) })
		wg.Go(func() { set.Add(auth.Revocation{Session: id.Session, Until: c.Now().Add(time.Hour)}) })
		wg.Go(func() {
			set.Add(auth.Revocation{User: sessiontest.Alice, NotAfter: c.Now(), Until: c.Now().Add(time.Hour)})
		})
	}
	wg.Wait()
	if calls.Load() != sessiontest.AtOnce || set.Watches() != 0 {
		t.Fatalf("%d of %d ended; %d are watched", calls.Load(), sessiontest.AtOnce, set.Watches())
	}
}
