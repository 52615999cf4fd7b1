package auth_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestSessionKeyLocks(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.want("forged", auth.ErrDecryptFailed, 15)
	d.want("k1", nil, 3) // a success does not reset the count
	d.want("malformed", auth.ErrInvalidRequest, 30)
	d.want("forged", auth.ErrDecryptFailed, 1)
	d.want("k1", auth.ErrSessionStale, 2)
	if asked, resets := d.platform.calls(); asked != 15+3+30+1 || resets != 1 || len(d.locked) != 1 {
		t.Errorf("%d attempts were made, %d resets, %d warnings", asked, resets, len(d.locked))
	}
	d.now = d.now.Add(24*time.Hour - time.Second)
	d.want("k1", auth.ErrSessionStale, 1)
	d.now = d.now.Add(time.Second)
	d.want("k1", nil, 1)
}

// TestSessionKeyLockFollowsTheKey: a key that the platform returns again is still locked; a
// different key is not.
func TestSessionKeyLockFollowsTheKey(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.want("forged", auth.ErrDecryptFailed, 16)
	d.store.keys = []auth.SessionKey{{Key: "k1"}} // after another login
	d.want("k1", auth.ErrSessionStale, 1)
	d.store.keys = []auth.SessionKey{{Key: "k2"}, {Key: "k1"}}
	d.want("k2", nil, 1)
	d.want("k1", auth.ErrSessionStale, 1)
}

// TestLockedKeyIsReplaced: if the platform can replace the key, the user continues with the new
// key.
func TestLockedKeyIsReplaced(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.platform.fresh = "k2"
	d.want("forged", auth.ErrDecryptFailed, 16)
	if len(d.locked) != 1 || d.locked[0] != nil {
		t.Fatalf("got warnings %v", d.locked)
	}
	d.want("k2", nil, 1)
	d.want("k1", auth.ErrDecryptFailed, 1)
}

// TestOneOfTwoKeysIsLocked: while one of two keys is locked, the other key still opens data. Data
// that it does not open may belong to the locked key, so the user has to log in again. If no key
// is locked, data that no key opens is no reason for a new login.
func TestOneOfTwoKeysIsLocked(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.want("forged", auth.ErrDecryptFailed, 1)
	if err := d.decode("forged"); errors.Is(err, auth.ErrSessionStale) {
		t.Errorf("no key is locked: %v", err)
	}
	d.want("forged", auth.ErrDecryptFailed, 14)
	d.store.keys = []auth.SessionKey{{Key: "k2"}, {Key: "k1"}}
	d.want("k2", nil, 1)
	d.want("k1", auth.ErrSessionStale, 1)
}

// TestAttemptLimits: attempts in progress count as failures until they end, and the user
// has to wait for them.
func TestAttemptLimits(t *testing.T) {
	t.Parallel()
	const aSecond = time.Second
	for name, row := range map[string]struct {
		failed, pending       int // of the day
		keyFailed, keyPending int
		want                  error
		wait                  time.Duration
	}{
		"one day failure left":        {failed: 63},
		"no day failure left":         {failed: 64, want: auth.ErrRateLimited, wait: time.Hour},
		"one left besides pending":    {failed: 60, pending: 3},
		"all left are pending":        {failed: 60, pending: 4, want: auth.ErrRateLimited, wait: aSecond},
		"one failure of the key left": {keyFailed: 15},
		"the key is locked":           {keyFailed: 16, want: auth.ErrSessionStale},
		"one left, rest pending":      {keyFailed: 12, keyPending: 3},
		"all of the key pending":      {keyFailed: 12, keyPending: 4, want: auth.ErrRateLimited, wait: aSecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTries(t, "k1")
			d.want("forged", auth.ErrDecryptFailed, 1) // makes the key's record
			a := &d.store.attempts
			a.Failed, a.Pending = max(row.failed, 1), row.pending
			a.Keys[0].Failed, a.Keys[0].Pending = max(row.keyFailed, 1), row.keyPending
			err := d.decode("k1")
			var limit *auth.LimitError
			if errors.As(err, &limit); !errors.Is(err, row.want) || limit != nil && limit.RetryAfter != row.wait {
				t.Errorf("got %v, want %v and a wait of %v", err, row.want, row.wait)
			}
			if err == nil && (a.Pending != row.pending || a.Keys[0].Pending != row.keyPending) {
				t.Errorf("%d and %d attempts are pending, want them unchanged", a.Pending, a.Keys[0].Pending)
			}
		})
	}
}

// TestAttemptsAreForgotten: a store drops an empty record, and keeps any other record until
// its last attempt has expired.
func TestAttemptsAreForgotten(t *testing.T) {
	t.Parallel()
	day := beforeMidnight
	key := func(until time.Time) []auth.KeyAttempts { return []auth.KeyAttempts{{Failed: 1, Until: until}} }
	for name, row := range map[string]struct {
		attempts auth.Attempts
		empty    bool
		until    time.Time
	}{
		"none":              {auth.Attempts{DayEnds: day}, true, day},
		"pending":           {auth.Attempts{DayEnds: day, Pending: 1}, false, day},
		"failed":            {auth.Attempts{DayEnds: day, Failed: 1}, false, day},
		"key, shorter":      {auth.Attempts{DayEnds: day, Keys: key(day.Add(-1))}, false, day},
		"key, longer":       {auth.Attempts{DayEnds: day, Keys: key(day.Add(1))}, false, day.Add(1)},
		"longest key first": {auth.Attempts{DayEnds: day, Keys: append(key(day.Add(2)), key(day.Add(1))...)}, false, day.Add(2)},
	} {
		if row.attempts.Empty() != row.empty || !row.attempts.Until().Equal(row.until) {
			t.Errorf("%s: empty %v, until %v, want %v and %v", name, row.attempts.Empty(), row.attempts.Until(), row.empty, row.until)
		}
	}
}

// TestFailuresOfADay: new session keys do not allow more than 64 failures a day. The day ends at
// midnight in Beijing.
func TestFailuresOfADay(t *testing.T) {
	t.Parallel()
	d := newTries(t)
	for n := range 4 {
		d.store.keys = []auth.SessionKey{{Key: fmt.Sprintf("k%d", n)}}
		d.want("forged", auth.ErrDecryptFailed, 16)
	}
	d.store.keys = []auth.SessionKey{{Key: "k9"}}
	var limit *auth.LimitError
	if err := d.decode("k9"); !errors.As(err, &limit) || !errors.Is(err, auth.ErrRateLimited) || limit.RetryAfter != time.Hour {
		t.Fatalf("got %v, want a wait of an hour", err)
	}
	d.now = d.now.Add(time.Hour)
	d.want("k9", nil, 1)
}

// TestStaleDataNowAndThen: an honest user whose data is stale now and then is never locked out.
func TestStaleDataNowAndThen(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	for range 30 {
		d.want("stale", auth.ErrDecryptFailed, 10)
		d.want("k1", nil, 1)
		d.now = d.now.Add(25 * time.Hour)
	}
}

// TestAttemptsAtOnce: simultaneous attempts do not exceed the limit together.
func TestAttemptsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newTries(t, "k1")
		d.platform.opened = make(chan struct{})
		outcomes := make(chan error, 100)
		for range cap(outcomes) {
			go func() { outcomes <- d.decode("forged") }()
		}
		synctest.Wait() // 16 wait in Open
		if a := d.store.attempts; len(outcomes) != cap(outcomes)-16 || a.Pending != 16 || a.Keys[0].Pending != 16 || a.Failed != 0 {
			t.Fatalf("%d were refused, and the store counts %+v", len(outcomes), a)
		}
		for range len(outcomes) {
			if err := <-outcomes; !errors.Is(err, auth.ErrRateLimited) {
				t.Errorf("got %v", err)
			}
		}
		close(d.platform.opened)
		synctest.Wait()
		if asked, _ := d.platform.calls(); asked != 16 || len(outcomes) != 16 {
			t.Errorf("%d attempts were made, %d ended", asked, len(outcomes))
		}
		for range len(outcomes) {
			if err := <-outcomes; !errors.Is(err, auth.ErrDecryptFailed) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// TestAttemptsWithoutStore: if the store is down, nothing is decrypted.
func TestAttemptsWithoutStore(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.store.fails = "UpdateAttempts"
	d.want("k1", auth.ErrStoreUnavailable, 1)
	if asked, _ := d.platform.calls(); asked != 0 {
		t.Errorf("%d attempts were made", asked)
	}
}

// TestPhonesThatThePlatformDidNotMake: a number that decrypts, but that the platform does not
// know, is a failed attempt, like the last step of a forgery. If the platform cannot be
// asked, no key is locked and no number passes.
func TestPhonesThatThePlatformDidNotMake(t *testing.T) {
	t.Parallel()
	forged := newTries(t, "k1")
	forged.platform.phone, forged.platform.checked = &thePhone, auth.ErrDecryptFailed
	forged.want("k1", auth.ErrDecryptFailed, 16)
	forged.want("k1", auth.ErrSessionStale, 1)

	down := newTries(t, "k1")
	down.platform.phone, down.platform.checked = &thePhone, auth.ErrWeChatBusy
	down.want("k1", auth.ErrWeChatBusy, 32)
	down.platform.phone = nil // data of another kind is not checked
	down.want("k1", nil, 1)
}
