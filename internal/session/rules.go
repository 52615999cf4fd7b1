package session

import (
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// userRevocationKept is the minimum time for which "log out everywhere" is remembered,
	// even when no token of the user is left: a replica whose clock is behind may still
	// begin a session before it.
	userRevocationKept = 5 * time.Minute
)

// PushKey makes key the newest. A key that is already present moves to the front: wx.login
// often yields the previous key again.
func PushKey(keys []auth.SessionKey, key auth.SessionKey) []auth.SessionKey {
	out := make([]auth.SessionKey, 0, auth.MaxSessionKeys)
	out = append(out, key)
	for _, old := range keys {
		if old.Key != key.Key && len(out) < auth.MaxSessionKeys {
			out = append(out, old)
		}
	}
	return out
}

// DropKey returns keys without key. It does not change its argument.
func DropKey(keys []auth.SessionKey, key auth.SessionKey) []auth.SessionKey {
	return slices.DeleteFunc(slices.Clone(keys), func(old auth.SessionKey) bool { return old.Key == key.Key })
}

// KeepIdentity undoes what no update may do: a session does not change its user, and a token
// that was issued for it is not forgotten.
func KeepIdentity(updated, before *auth.Session) {
	updated.ID, updated.User = before.ID, before.User
	updated.AccessEnd = Later(updated.AccessEnd, before.AccessEnd)
}

// RevokeSession returns the revocation of an ended session; ok is false when no access token
// of it is still valid and nothing needs to be remembered.
func RevokeSession(id auth.SessionID, accessEnd, now time.Time) (rev auth.Revocation, ok bool) {
	return auth.Revocation{Session: id, Until: accessEnd}, accessEnd.After(now)
}

// LimitSession returns the revocation of a session that its user's next session ends; ok
// reports whether there is something to revoke. A replaced session is remembered until its
// end, even after its last access token: if a refresh were only revoked, its client would log
// in silently, and two devices would end each other's sessions forever. The default limit
// replaces nothing, and a client may log in again: only a loop reaches that limit.
func LimitSession(id auth.SessionID, end, accessEnd, now time.Time, limit auth.SessionLimit) (rev auth.Revocation, ok bool) {
	if limit.Sessions == 0 {
		return RevokeSession(id, accessEnd, now)
	}
	return auth.Revocation{Session: id, Until: end, Replaced: true}, true
}

// Class is a class of sessions that a limit counts separately.
type Class struct {
	Browser bool        // see [auth.Door.Browser]
	Device  auth.Device // with [auth.SessionLimit.PerDevice]
}

// ClassOf returns the class of a session.
func ClassOf(s *auth.Session) Class { return Class{s.Door.Browser(), s.Device} }

// Fits reports whether a user with n sessions of any class, some of which may have expired,
// may begin one more without ending another.
func Fits(n int, limit auth.SessionLimit) bool { return n < mostSessions(limit) }

func mostSessions(limit auth.SessionLimit) int {
	if limit.Sessions > 0 {
		return min(auth.MaxUserSessions, limit.Sessions)
	}
	return auth.MaxUserSessions
}

// Excess returns which of n sessions, oldest first and none of them expired, must end so that
// a user may begin one more of a class. A browser session ends only browser sessions, and any
// other session only those with tokens: a page that the phone opens must not log out the phone.
func Excess(n int, classOf func(i int) Class, next Class, limit auth.SessionLimit) []int {
	var kind, same []int // of the next session's kind; of that kind, on its device
	for i := range n {
		class := classOf(i)
		if class.Browser == next.Browser {
			kind = append(kind, i)
		}
		if class == next {
			same = append(same, i)
		}
	}
	most := mostSessions(limit)
	var ended []int
	if limit.PerDevice {
		ended = same[:max(0, len(same)-most+1)]
		most = auth.MaxUserSessions
	}
	for i := 0; len(kind)-len(ended) >= most; i++ {
		if !slices.Contains(ended, kind[i]) {
			ended = append(ended, kind[i])
		}
	}
	return ended
}

// RevokeUser returns the revocation of a whole user, before [ExtendRevocation] adds the
// sessions that it ends. It is kept at least until the time until, for tokens whose session
// the store has lost.
func RevokeUser(u auth.User, at, until, now time.Time) auth.Revocation {
	return auth.Revocation{User: u, NotAfter: at.Truncate(time.Millisecond), Until: Later(now.Add(userRevocationKept), until)}
}

// RevokeErased is RevokeUser for an erased user, without the user's name.
func RevokeErased(erased auth.ErasedUser, at, until, now time.Time) auth.Revocation {
	rev := RevokeUser(auth.User{}, at, until, now)
	rev.Erased = erased
	return rev
}

// ExtendRevocation extends a user's revocation to one of the user's sessions.
func ExtendRevocation(rev *auth.Revocation, id auth.SessionID, accessEnd time.Time) {
	rev.NotAfter = Later(rev.NotAfter, id.Began())
	rev.Until = Later(rev.Until, accessEnd)
}

// MergeRevocations returns a, extended by b. Both are of the same session, user or key.
func MergeRevocations(a, b auth.Revocation) auth.Revocation {
	a.NotAfter = Later(a.NotAfter, b.NotAfter)
	a.Until = Later(a.Until, b.Until)
	a.Replaced = a.Replaced || b.Replaced
	return a
}

// Covers reports whether a user's revocation covers a session, by its ID. It compares
// milliseconds, because IDs have milliseconds.
func Covers(notAfter time.Time, id auth.SessionID) bool {
	return id.Began().UnixMilli() <= notAfter.UnixMilli()
}

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
