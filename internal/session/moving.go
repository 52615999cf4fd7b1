package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// Entry is a unit that one store exports and another store imports. Exactly one of Session,
// Keys, Attempts and Revocation is set.
//
// Neither store may change during a copy; otherwise repeat the copy: an import keeps the
// newer of two records and deletes nothing. Expired records are not copied.
type Entry struct {
	Session    *auth.Session
	User       auth.User         // whose Keys or Attempts they are
	Keys       []auth.SessionKey // newest first
	Attempts   *auth.Attempts    // of a user who has a session: each store has its own hashes of users
	Revocation *auth.Revocation
}

// ErrOldSessionID means that a session cannot be moved to Redis: its ID was made by a wxgate
// that did not yet include the user's shard. Its client logs in again silently (wx.login).
var ErrOldSessionID = errors.New("session ID: written by an older wxgate")

var errBadEntry = errors.New("an entry is one session, one user's keys or attempts, or one revocation")

// Check refuses an entry that has none of the four, or several.
func (e Entry) Check() error {
	kinds := 0
	for _, is := range []bool{e.Session != nil, e.Keys != nil, e.Attempts != nil, e.Revocation != nil} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		return errBadEntry
	}
	return nil
}

// IsNewer reports whether a is a later record of the same session than b: rotations and
// access tokens only move forward.
func IsNewer(a, b *auth.Session) bool {
	return cmp.Or(a.Refresh.RotatedAt.Compare(b.Refresh.RotatedAt), a.Refresh.Replays-b.Refresh.Replays, a.AccessEnd.Compare(b.AccessEnd)) > 0
}

// MergeKeys merges a user's session keys from two stores, newest first.
func MergeKeys(a, b []auth.SessionKey) []auth.SessionKey {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y auth.SessionKey) int { return y.ObtainedAt.Compare(x.ObtainedAt) })
	var merged []auth.SessionKey
	for _, key := range all {
		known := slices.ContainsFunc(merged, func(other auth.SessionKey) bool { return other.Key == key.Key })
		if !known && len(merged) < auth.MaxSessionKeys {
			merged = append(merged, key)
		}
	}
	return merged
}

// MergeAttempts merges the attempts counted by another store into a. It keeps the larger of
// two counts: a sum would grow with each repeated copy, and the smaller count would give an
// attacker more attempts.
func MergeAttempts(a, b *auth.Attempts) {
	switch a.DayEnds.Compare(b.DayEnds) {
	case 0:
		a.Failed, a.Pending = max(a.Failed, b.Failed), max(a.Pending, b.Pending)
	case -1:
		a.DayEnds, a.Failed, a.Pending = b.DayEnds, b.Failed, b.Pending
	}
	for _, key := range b.Keys {
		i := slices.IndexFunc(a.Keys, func(k auth.KeyAttempts) bool { return bytes.Equal(k.Key, key.Key) })
		if i < 0 {
			a.Keys = append(a.Keys, key)
			continue
		}
		k := &a.Keys[i]
		k.Failed, k.Pending = max(k.Failed, key.Failed), max(k.Pending, key.Pending)
		if key.Until.After(k.Until) {
			k.Until = key.Until
		}
	}
}

// AttemptsActive reports whether any of the attempts has not expired.
func AttemptsActive(a *auth.Attempts, now time.Time) bool { return !a.Empty() && a.Until().After(now) }

// EmitEntry passes one entry to do, unless ctx is done.
func EmitEntry(ctx context.Context, do func(Entry) error, e Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return do(e)
}
