// Package recordstest has the tests that every store of short-lived records must pass.
package recordstest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/web"
)

// Store is a store under test.
type Store struct {
	Open func(t testing.TB) web.Records // opens the same records on another machine
	Now  func() time.Time
	Pass func(time.Duration) // lets time pass
}

// Clock is a clock that a test advances.
type Clock struct{ passed atomic.Int64 }

// Now returns the time of the clock.
func (c *Clock) Now() time.Time {
	return time.UnixMicro(1_800_000_000_000_000).Add(time.Duration(c.passed.Load()))
}

// Pass advances the clock.
func (c *Clock) Pass(d time.Duration) { c.passed.Add(int64(d)) }

// Conform tests a store, which must be empty at first.
func Conform(t *testing.T, s Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Store){
		"life": life, "outcomes": outcomes, "expiry": expiry, "values": values, "race: adds": raceAdds, "race: swaps": raceSwaps,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// ID returns the ID of a record with a name.
func ID(name string) web.RecordID { return sha256.Sum256([]byte(name)) }

// Want fails the test unless err is the outcome.
func Want(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

// WantValue fails the test unless a record has the value.
func WantValue(t testing.TB, r web.Records, id web.RecordID, want string) {
	t.Helper()
	if value, err := r.Get(t.Context(), id); err != nil || string(value) != want {
		t.Fatalf("got %q, %v; want %q", value, err, want)
	}
}

// Add adds a record with the given lifetime.
func (s Store) Add(t testing.TB, r web.Records, name, value string, life time.Duration) web.RecordID {
	t.Helper()
	id := ID(name)
	Want(t, "add", r.Add(t.Context(), id, []byte(value), s.Now().Add(life)), nil)
	return id
}

// life follows a record from one machine to the other.
func life(t *testing.T, s Store) {
	one, other := s.Open(t), s.Open(t)
	id := s.Add(t, one, "life", "waiting", time.Minute)
	WantValue(t, other, id, "waiting")
	Want(t, "swap", other.Swap(t.Context(), id, []byte("waiting"), []byte("confirmed")), nil)
	WantValue(t, one, id, "confirmed")
	Want(t, "delete", one.Swap(t.Context(), id, []byte("confirmed"), nil), nil)
	Want(t, "get of a deleted record", errOf(other.Get(t.Context(), id)), web.ErrNoRecord)
	s.Add(t, other, "life", "again", time.Minute)
	WantValue(t, one, id, "again")
}

func errOf(_ []byte, err error) error { return err }

// outcomes are the calls that must fail: each changes nothing.
func outcomes(t *testing.T, s Store) {
	r := s.Open(t)
	for _, next := range [][]byte{[]byte("x"), nil} {
		Want(t, "swap of no record", r.Swap(t.Context(), ID("nothing"), nil, next), web.ErrNoRecord)
	}
	Want(t, "get of no record", errOf(r.Get(t.Context(), ID("nothing"))), web.ErrNoRecord)
	id := s.Add(t, r, "outcomes", "value", time.Minute)
	Want(t, "second add", r.Add(t.Context(), id, []byte("other"), s.Now().Add(time.Hour)), web.ErrRecordExists)
	for _, old := range []string{"", "valu", "value2", "other"} {
		for _, next := range [][]byte{[]byte("x"), nil} {
			Want(t, "swap from "+old, r.Swap(t.Context(), id, []byte(old), next), web.ErrRecordChanged)
		}
	}
	WantValue(t, r, id, "value")
	Want(t, "swap to the same", r.Swap(t.Context(), id, []byte("value"), []byte("value")), nil)
	WantValue(t, r, id, "value")
}

// expiry: an expired record does not exist, and a swap does not extend the life of a record.
func expiry(t *testing.T, s Store) {
	const short = 2 * time.Second
	r := s.Open(t)
	id, swapped := s.Add(t, r, "short", "value", short), s.Add(t, r, "swapped", "value", short)
	long := s.Add(t, r, "long", "value", time.Hour)
	Want(t, "swap", r.Swap(t.Context(), swapped, []byte("value"), []byte("next")), nil)
	WantValue(t, r, id, "value")
	s.Pass(short)
	for _, expired := range []web.RecordID{id, swapped} {
		Want(t, "get of an expired record", errOf(r.Get(t.Context(), expired)), web.ErrNoRecord)
		for _, old := range []string{"value", "next"} {
			Want(t, "swap of an expired record", r.Swap(t.Context(), expired, []byte(old), []byte("x")), web.ErrNoRecord)
		}
	}
	WantValue(t, r, long, "value")
	s.Add(t, r, "short", "again", time.Hour)
	WantValue(t, r, id, "again")
	s.Pass(time.Millisecond)
	s.Add(t, r, "another", "value", time.Hour) // sweeps expired records, but not the one that was added again
	WantValue(t, r, id, "again")
	Want(t, "add of an expired record", r.Add(t.Context(), ID("past"), []byte("value"), s.Now().Add(-time.Hour)), nil)
	s.Pass(2 * time.Millisecond)
	Want(t, "get of it", errOf(r.Get(t.Context(), ID("past"))), web.ErrNoRecord)
}

// values: any bytes can be stored, and the returned value is a copy.
func values(t *testing.T, s Store) {
	r := s.Open(t)
	value := bytes.Repeat([]byte{0, 255, '\r', '\n', 128, '%', 'a', 0}, web.MaxRecordBytes/8)
	whole := string(value)
	id := s.Add(t, r, "values", whole, time.Minute)
	if got, err := r.Get(t.Context(), id); err != nil || string(got) != whole {
		t.Fatalf("got %d bytes, %v", len(got), err)
	} else {
		got[0] = 'x'
	}
	Want(t, "swap", r.Swap(t.Context(), id, value, []byte{0}), nil)
	WantValue(t, r, id, "\x00")
	next := []byte("next")
	Want(t, "swap", r.Swap(t.Context(), id, []byte{0}, next), nil)
	next[0] = 'N'
	WantValue(t, r, id, "next")

	until := s.Now().Add(time.Minute)
	Want(t, "add of an empty value", r.Add(t.Context(), ID("empty"), nil, until), nil)
	WantValue(t, r, ID("empty"), "")
	Want(t, "second add", r.Add(t.Context(), ID("empty"), nil, until), web.ErrRecordExists)
	Want(t, "swap from it", r.Swap(t.Context(), ID("empty"), nil, []byte("next")), nil)
	Want(t, "swap to it", r.Swap(t.Context(), ID("empty"), []byte("next"), []byte{}), nil)
	WantValue(t, r, ID("empty"), "")
}

const atOnce = 16

// together makes each call from several goroutines, on two machines, and counts the successes.
// The other calls must return other.
func together(t *testing.T, s Store, other error, each func(r web.Records, i int) error) {
	t.Helper()
	machines := []web.Records{s.Open(t), s.Open(t)}
	var succeeded atomic.Int64
	var running sync.WaitGroup
	for i := range atOnce {
		running.Go(func() {
			switch err := each(machines[i%len(machines)], i); {
			case err == nil:
				succeeded.Add(1)
			case !errors.Is(err, other):
				t.Errorf("call %d: %v, want nil or %v", i, err, other)
			}
		})
	}
	running.Wait()
	if n := succeeded.Load(); n != 1 {
		t.Errorf("%d of %d calls succeeded, want 1", n, atOnce)
	}
}

// raceAdds: a state can be used once.
func raceAdds(t *testing.T, s Store) {
	until := s.Now().Add(time.Minute)
	together(t, s, web.ErrRecordExists, func(r web.Records, i int) error {
		return r.Add(t.Context(), ID("add"), []byte(strconv.Itoa(i)), until)
	})
}

// raceSwaps: of several calls that spend a ticket or confirm a scan, one succeeds.
func raceSwaps(t *testing.T, s Store) {
	id := s.Add(t, s.Open(t), "swap", "old", time.Minute)
	together(t, s, web.ErrRecordChanged, func(r web.Records, i int) error {
		return r.Swap(t.Context(), id, []byte("old"), []byte(strconv.Itoa(i)))
	})
	spent := s.Add(t, s.Open(t), "spent", "old", time.Minute)
	together(t, s, web.ErrNoRecord, func(r web.Records, _ int) error {
		return r.Swap(t.Context(), spent, []byte("old"), nil)
	})
}
