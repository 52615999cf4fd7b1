package sessiontest

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// AttemptsOf returns the attempts that a store has of a user.
func AttemptsOf(t *testing.T, store Store, u auth.User) (kept auth.Attempts) {
	t.Helper()
	Must(t, store.UpdateAttempts(t.Context(), u, func(a *auth.Attempts) {
		kept = *a
		kept.Keys = slices.Clone(a.Keys)
	}))
	return kept
}

func attemptsKept(t *testing.T, store Store, c *Clock) {
	key := bytes.Repeat([]byte{7}, 32)
	until := c.Now().Add(time.Hour)
	Must(t, store.UpdateAttempts(t.Context(), Alice, func(a *auth.Attempts) {
		if !a.Empty() {
			t.Errorf("a new user has %+v", a)
		}
		a.DayEnds, a.Failed, a.Pending = until, 3, 1
		a.Keys = append(a.Keys, auth.KeyAttempts{Key: key, Failed: 2, Pending: 1, Until: until.Add(time.Minute)})
	}))
	Must(t, ErrOf(store.EndUser(t.Context(), Alice, c.Now(), time.Time{}))) // logging out does not reset them
	got := AttemptsOf(t, store, Alice)
	if !got.DayEnds.Equal(until) || got.Failed != 3 || got.Pending != 1 || len(got.Keys) != 1 ||
		!bytes.Equal(got.Keys[0].Key, key) || got.Keys[0].Failed != 2 || got.Keys[0].Pending != 1 || !got.Keys[0].Until.Equal(until.Add(time.Minute)) {
		t.Errorf("got %+v", got)
	}
	if read, err := store.Attempts(t.Context(), Alice); err != nil || !reflect.DeepEqual(*read, got) {
		t.Errorf("read %+v (%v), want %+v", read, err, got)
	}
	c.Advance(2 * time.Hour)
	if read, err := store.Attempts(t.Context(), Alice); err != nil || !read.Empty() {
		t.Errorf("expired attempts: %+v, %v", read, err)
	}
	if other := AttemptsOf(t, store, OtherAlice); !other.Empty() {
		t.Errorf("another app's user has %+v", other)
	}
}

func attemptsEmptied(t *testing.T, store Store, c *Clock) {
	for _, failed := range []int{2, 0} {
		Must(t, store.UpdateAttempts(t.Context(), Alice, func(a *auth.Attempts) { a.DayEnds, a.Failed = c.Now().Add(time.Hour), failed }))
	}
	if got := AttemptsOf(t, store, Alice); !got.Empty() || !got.DayEnds.IsZero() {
		t.Errorf("got %+v", got)
	}
}

func attemptsSwept(t *testing.T, store Store, c *Clock) {
	Must(t, store.UpdateAttempts(t.Context(), Alice, func(a *auth.Attempts) { a.DayEnds, a.Failed = c.Now().Add(time.Hour), 1 }))
	c.Advance(time.Hour - time.Second)
	_, err := store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if got := AttemptsOf(t, store, Alice); got.Failed != 1 {
		t.Errorf("a second before the end: %+v", got)
	}
	c.Advance(2 * time.Minute)
	_, err = store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if got := AttemptsOf(t, store, Alice); !got.Empty() {
		t.Errorf("after the end: %+v", got)
	}
}

func raceAttempts(t *testing.T, store Store, c *Clock) {
	Together(AtOnce, func(int) {
		err := store.UpdateAttempts(t.Context(), Alice, func(a *auth.Attempts) { a.DayEnds, a.Failed = c.Now().Add(time.Hour), a.Failed+1 })
		if err != nil {
			t.Error(err)
		}
	})
	if got := AttemptsOf(t, store, Alice); got.Failed != AtOnce {
		t.Errorf("%d updates of %d were kept", got.Failed, AtOnce)
	}
}
