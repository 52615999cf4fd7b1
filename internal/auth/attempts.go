package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// AES-CBC has no MAC. A client that may send any ciphertext and sees which ones decrypt to
// acceptable JSON can learn what a chosen block decrypts to, and use that in reverse to
// encrypt a phone number of its choice. A success takes some 400,000 attempts on WeChat's
// data and 85,000 requests in all on data without a watermark, so a limit of a few failures
// a day makes the attack impossible.
const (
	// maxKeyFailures is how many attempts on one session_key may fail before the key is
	// locked. It is more than an honest client causes in a day: its stale data fails once
	// for each press of a button.
	maxKeyFailures = 16
	// maxDayFailures is how many attempts of one user may fail in a day, over all
	// session keys: four locked keys, so that logging in again does not reset the
	// count. The day is Beijing's, as for WeChat's own quotas.
	maxDayFailures = 64
	// keyLockout is how long a locked session_key stays locked, and how long
	// failures of a key that is not locked are remembered.
	keyLockout = 24 * time.Hour
	// busyRetryAfter is the time after which attempts in progress should have ended.
	busyRetryAfter = time.Second
)

// beijing is the time zone in which the day of [maxDayFailures] ends. China has had no
// daylight saving time since 1991.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// Attempts are a user's attempts to decrypt open data, as a [Store] keeps them.
// The zero value has none.
type Attempts struct {
	DayEnds time.Time // when Pending and Failed start again at 0
	Pending int       // attempts of the day that have not ended
	Failed  int       // attempts of the day that failed
	Keys    []KeyAttempts
}

// KeyAttempts are a user's attempts on one session_key.
type KeyAttempts struct {
	Key     []byte    // hash of session_key and user; see attemptKey
	Pending int       // attempts that have not ended
	Failed  int       // attempts that failed; maxKeyFailures locks the key
	Until   time.Time // when this record is forgotten
}

// LimitError is an [ErrRateLimited] that ends after a known time.
type LimitError struct {
	RetryAfter time.Duration
	Reason     string // for the log
}

func (e *LimitError) Error() string { return fmt.Sprintf("%v: %s", ErrRateLimited, e.Reason) }

func (e *LimitError) Unwrap() error { return ErrRateLimited }

// Empty reports whether there is nothing to remember.
func (a *Attempts) Empty() bool {
	return a.Pending == 0 && a.Failed == 0 && len(a.Keys) == 0
}

// Until is when the last of the attempts is forgotten.
func (a *Attempts) Until() time.Time {
	until := a.DayEnds
	for _, k := range a.Keys {
		if k.Until.After(until) {
			until = k.Until
		}
	}
	return until
}

// reserve counts an attempt before it is made, so that attempts at the same time,
// also on other replicas, cannot exceed a limit together. It returns the keys that
// may be tried: [ErrSessionStale] when all are locked, [*LimitError] when the user
// has to wait.
func (a *Attempts) reserve(u User, keys []SessionKey, now time.Time) ([]SessionKey, error) {
	a.forget(now)
	if a.Failed >= maxDayFailures {
		return nil, &LimitError{a.DayEnds.Sub(now), "the user's open data failed to decrypt too often today"}
	}
	busy := a.Failed+a.Pending >= maxDayFailures
	var usable []SessionKey
	for _, key := range keys {
		k := a.find(u, key)
		if k != nil && k.Failed >= maxKeyFailures {
			continue // locked
		}
		if k != nil && k.Failed+k.Pending >= maxKeyFailures {
			busy = true
		}
		usable = append(usable, key)
	}
	if busy {
		return nil, &LimitError{busyRetryAfter, "too many attempts of the user are under way"}
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("%w: too many attempts failed, the session_key is locked", ErrSessionStale)
	}
	a.Pending++
	for _, key := range usable {
		k := a.find(u, key)
		if k == nil {
			a.Keys = append(a.Keys, KeyAttempts{Key: attemptKey(u, key), Until: now.Add(keyLockout)})
			k = &a.Keys[len(a.Keys)-1]
		}
		k.Pending++
	}
	return usable, nil
}

// settle ends an attempt on keys. A success removes only its own reservation, because an
// attacker can always produce successes. settle returns the keys that the attempt locked.
func (a *Attempts) settle(u User, keys []SessionKey, failed bool, now time.Time) (locked []SessionKey) {
	a.forget(now)
	a.Pending = max(0, a.Pending-1)
	if failed {
		a.Failed++
	}
	for _, key := range keys {
		k := a.find(u, key)
		if k == nil {
			continue // forgotten while the attempt was in progress
		}
		k.Pending = max(0, k.Pending-1)
		if !failed {
			continue
		}
		if k.Failed++; k.Failed == maxKeyFailures {
			k.Until = now.Add(keyLockout)
			locked = append(locked, key)
		}
	}
	a.forget(now)
	return locked
}

// forget drops the records that no longer count.
func (a *Attempts) forget(now time.Time) {
	if !a.DayEnds.After(now) {
		a.Pending, a.Failed = 0, 0
	}
	if a.Pending == 0 && a.Failed == 0 {
		a.DayEnds = nextMidnight(now)
	}
	a.Keys = slices.DeleteFunc(a.Keys, func(k KeyAttempts) bool {
		return !k.Until.After(now) || k.Pending == 0 && k.Failed == 0
	})
}

func (a *Attempts) find(u User, key SessionKey) *KeyAttempts {
	name := attemptKey(u, key)
	for i := range a.Keys {
		if bytes.Equal(a.Keys[i].Key, name) {
			return &a.Keys[i]
		}
	}
	return nil
}

// attemptKey identifies a user's session_key without revealing it. WeChat may return the
// same session_key at a later login: its failures still count then.
func attemptKey(u User, key SessionKey) []byte {
	mac := hmac.New(sha256.New, []byte(key.Key))
	mac.Write([]byte("wxgate open data attempts\x00" + string(u.App) + "\x00" + string(u.OpenID)))
	return mac.Sum(nil)
}

func nextMidnight(now time.Time) time.Time {
	year, month, day := now.In(beijing).Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, beijing)
}
