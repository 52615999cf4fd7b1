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

// Entry is one thing that a store exports and another imports. Exactly one of
// Session, Keys, Attempts and Revocation is set.
//
// Neither side of a copy may change meanwhile, or it must be repeated: an import keeps
// the newer of two records and deletes nothing. What is over is left out.
type Entry struct {
	Session    *auth.Session
	User       auth.User         // whose Keys or Attempts they are
	Keys       []auth.SessionKey // newest first
	Attempts   *auth.Attempts    // of a user who has a session: stores name users by hashes of their own
	Revocation *auth.Revocation
}

// ErrOldSessionID is a session that cannot be moved to Redis: its ID is of a
// wxgate that did not yet write in it where its user is. Its client logs in again
// silently (wx.login).
var ErrOldSessionID = errors.New("session ID: written by an older wxgate")

var errBadEntry = errors.New("an entry is one session, one user's keys or attempts, or one revocation")

// Check refuses an entry that is none of the four, or several.
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

// IsNewer reports whether a session's record was written after another of it:
// rotations and access tokens only ever come later.
func IsNewer(a, b *auth.Session) bool {
	return cmp.Or(a.Refresh.RotatedAt.Compare(b.Refresh.RotatedAt), a.Refresh.Replays-b.Refresh.Replays, a.AccessEnd.Compare(b.AccessEnd)) > 0
}

// MergeKeys joins a user's session keys of two stores, newest first.
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

// MergeAttempts joins into a what another store counted. The larger count of the two
// counts: a sum would grow with each repeated copy, and the smaller would give an
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

// AttemptsActive reports whether any of the attempts is not over.
func AttemptsActive(a *auth.Attempts, now time.Time) bool { return !a.Empty() && a.Until().After(now) }

// EmitEntry passes one entry to do, unless ctx is done.
func EmitEntry(ctx context.Context, do func(Entry) error, e Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return do(e)
}
