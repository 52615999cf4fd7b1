package auth

import (
	"cmp"
	"strconv"
	"time"
)

// Session is one login of one user: what a [Store] keeps until it ends.
type Session struct {
	ID      SessionID
	User    User
	UnionID UnionID

	CreatedAt   time.Time
	AbsoluteEnd time.Time // never changes
	IdleEnd     time.Time // extended by every refresh; has no effect after AbsoluteEnd
	AccessEnd   time.Time // when the last access token that was issued for it expires

	Refresh RefreshState

	// Phone is the number that the platform vouched for, with its country code.
	// A secret at rest: stores seal it.
	Phone string

	// Risk is how risky the platform considered the user at the login; it doesn't change
	// later. A secret like Phone: a user who knew their rank could find out what lowers it.
	Risk Risk

	Device Device // of the login
	Door   Door

	// Parent is the session that issued the ticket of a [DoorWebView] session, which ends
	// with its parent; empty for other doors.
	Parent SessionID
}

// LastSeen is when the user logged in or last refreshed.
func (s *Session) LastSeen() time.Time {
	if s.Refresh.RotatedAt.After(s.CreatedAt) {
		return s.Refresh.RotatedAt
	}
	return s.CreatedAt
}

// End is when the session ends by itself.
func (s *Session) End() time.Time {
	if s.IdleEnd.Before(s.AbsoluteEnd) {
		return s.IdleEnd
	}
	return s.AbsoluteEnd
}

// Ended reports whether the session has expired.
func (s *Session) Ended(now time.Time) bool { return !now.Before(s.End()) }

// SessionKey is WeChat's session_key for one user, as WeChat spelled it: base64
// of 16 bytes. It never leaves the gateway: anyone who has it can forge "decrypted"
// phone numbers and log in as any user.
type SessionKey struct {
	Key        string
	ObtainedAt time.Time
}

// MaxSessionKeys is how many session keys a store keeps for a user: the current
// key and four before it. Two or three logins race at the start of a page; data
// encrypted under an older key is too old by its watermark.
const MaxSessionKeys = 5

// SessionLimit is how many sessions a user may have. The next login ends the oldest session.
// The zero value is [MaxUserSessions], and sessions that it ends count as revoked, not as
// replaced. Browser sessions (see [Door.Browser]) are counted separately, and the limit
// applies to each kind: a page that the phone opens never logs out the phone, nor the reverse.
type SessionLimit struct {
	Sessions  int  // default, and at most, [MaxUserSessions]
	PerDevice bool // the limit applies to each class of devices; [MaxUserSessions] in all
}

// MaxUserSessions is how many sessions of a kind a user may have; the next login ends the
// oldest session. Old clients log in at every launch and never log out: a hundred launches
// fit in the week after which an idle session expires. More sessions than that are a loop,
// and must not fill the store.
const MaxUserSessions = 100

// Revocation ends access tokens before they expire. Exactly one of Session, User, Erased and
// Key is set. It is forgotten after Until, when every token that it matches has expired.
type Revocation struct {
	Session  SessionID
	User     User       // every session that began at or before NotAfter
	Erased   ErasedUser // the same, for an erased user
	Key      KeyID      // every token that this key signed
	NotAfter time.Time  // with User and Erased, to the millisecond
	Until    time.Time
	// Replaced is true if the session ended because its user had too many.
	Replaced bool
}

// Device is a class of devices, as named by the User-Agent of a login. It is for operators
// and for limits, and proves nothing: a client can send any User-Agent.
type Device uint8

// The classes of devices. Stored records contain the numbers: never change one.
const (
	DeviceOther Device = iota // unrecognized, or a session begun by an older wxgate
	DeviceIOS
	DeviceAndroid
	DeviceHarmony // HarmonyOS without Android
	DeviceWindows
	DeviceMac
	DeviceLinux
	DeviceDevTools // WeChat's developer tools
)

var deviceNames = [...]string{"other", "ios", "android", "harmony", "windows", "mac", "linux", "devtools"}

// String returns the name of the class, such as "ios"; "other" for a class written by a newer
// wxgate.
func (d Device) String() string {
	if int(d) >= len(deviceNames) {
		return deviceNames[DeviceOther]
	}
	return deviceNames[d]
}

// Door is how a session began.
type Door uint8

// The doors. Stored records contain the numbers: never change one.
const (
	DoorMiniProgram Door = iota // a login with a code of wx.login
	DoorMinted                  // an operator began it with [Service.Mint]
	DoorOfficial                // a page inside WeChat, by OAuth of an official account
	DoorWebsite                 // a page on a PC, by WeChat's QR code
	DoorWebView                 // a page in the mini program's web-view, by a ticket
	DoorScan                    // a page on a PC, by a mini program code that the phone confirmed
)

var doorNames = [...]string{"miniprogram", "minted", "official", "website", "webview", "scan"}

// String returns the name of the door; "other" for a door written by a newer wxgate.
func (d Door) String() string {
	if int(d) >= len(doorNames) {
		return "other"
	}
	return doorNames[d]
}

// Browser reports whether the credential of the session is a cookie of a browser. Such a
// session has no tokens.
func (d Door) Browser() bool { return d >= DoorOfficial && d <= DoorScan }

// Risk is how risky a platform considers a user: a rank from 0, no risk, to [MaxRiskRank].
// The zero value is an unknown risk. Stored records contain the numbers: never change one.
type Risk uint8

// MaxRiskRank is the highest rank of WeChat's getuserriskrank.
const MaxRiskRank = 4

// RiskOf returns the risk of a rank; false for a number that is not a rank.
func RiskOf(rank int) (Risk, bool) {
	if rank < 0 || rank > MaxRiskRank {
		return 0, false
	}
	return Risk(rank + 1), true
}

// Rank returns the rank; false if the risk is unknown.
func (r Risk) Rank() (rank int, known bool) { return int(r) - 1, r != 0 }

// Digit returns the rank as a digit; "" if the risk is unknown, since a program that converts
// a word to a number may read 0, the lowest rank.
func (r Risk) Digit() string {
	rank, known := r.Rank()
	if !known {
		return ""
	}
	return strconv.Itoa(rank)
}

// String returns the rank as a digit, or "unknown".
func (r Risk) String() string { return cmp.Or(r.Digit(), "unknown") }
