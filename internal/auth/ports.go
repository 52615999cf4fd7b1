package auth

import (
	"context"
	"time"
)

// LoginResult is the result of exchanging a login code.
type LoginResult struct {
	OpenID     OpenID
	UnionID    UnionID // empty when the app is bound to no Open Platform account
	SessionKey string  // as the platform spelled it; empty where a platform has none
}

// Phone is a phone number that the platform vouches for.
type Phone struct {
	PhoneNumber     string // with the area code when it is foreign
	PurePhoneNumber string
	CountryCode     string
	Watermark       Watermark
	Test            bool // the operator's number for a virtual account of WeChat's
}

// E164 is the number in one spelling: + country code, number.
func (p Phone) E164() string { return "+" + p.CountryCode + p.PurePhoneNumber }

// Watermark says for which app and when the platform made the data.
type Watermark struct {
	AppID     AppID
	Timestamp int64 // Unix seconds
}

// OpenData is open data as a client sends it.
type OpenData struct {
	EncryptedData string // base64, in any of the spellings seen in the wild
	IV            string // base64 of 16 bytes
	RawData       string // with Signature: what the signature is over
	Signature     string // hex(sha1(RawData + session_key)); not checked when empty
}

// Opened is open data that was decrypted and whose watermark was right.
type Opened struct {
	JSON   []byte // the whole object, as the platform wrote it
	OpenID OpenID // empty when the data names no user
	Phone  *Phone // nil when the data is not a phone number
	// Unverified says that the number is the client's word and no proof: it is
	// returned to the client and kept nowhere.
	Unverified bool
	// Unknown is how many members a phone number had that WeChat's documentation
	// does not name: WeChat may add some, and forged data may contain some.
	Unknown int
}

// Platform is one mini program at WeChat or at one of its siblings. Errors wrap
// the sentinels of this package; those that the platform reported itself are a
// [*PlatformError]. Implementations are safe for concurrent use, put a deadline
// on every call and never log a code, key or number.
type Platform interface {
	// Exchange spends a login code. It is never retried once the request may
	// have reached the platform, since the code may be spent by then.
	Exchange(ctx context.Context, code string) (LoginResult, error)
	// PhoneNumber spends a phone code that belongs to openid. Its error wraps
	// [ErrNotCharged] as well if the call certainly cost nothing.
	PhoneNumber(ctx context.Context, code string, openid OpenID) (Phone, error)
	// Open decrypts data with the first key that opens it. Errors:
	// [ErrInvalidRequest] for fields that are not what a client sends,
	// [ErrDecryptFailed] when no key opens it, [ErrWatermarkMismatch],
	// [ErrWatermarkStale].
	Open(keys []SessionKey, data OpenData) (Opened, error)
	// CheckPhone asks the platform whether it made the encrypted phone number;
	// [ErrDecryptFailed] if it did not, or too long ago. It is nil if the operator does
	// not want the platform to be asked.
	CheckPhone(ctx context.Context, data OpenData) error
	// Risk asks the platform how risky it considers a user who logs in from an IP
	// address. The risk is unknown, without an error, if the operator does not want the
	// platform to be asked.
	Risk(ctx context.Context, openid OpenID, address string) (Risk, error)
	// CheckSession asks the platform whether key is still the user's session
	// key; [ErrSessionStale] when it is not.
	CheckSession(ctx context.Context, openid OpenID, key SessionKey) error
	// ResetSessionKey has the platform replace the user's session key.
	ResetSessionKey(ctx context.Context, openid OpenID, key SessionKey) (SessionKey, error)
}

// Tokens issues and verifies what clients hold.
type Tokens interface {
	// Issue signs an access token that says what id says. It sets TokenID and
	// Key itself.
	Issue(id Identity) (string, error)
	// Verify checks all of a token but its revocation: [ErrInvalidToken],
	// [ErrTokenExpired].
	Verify(raw string) (*Identity, error)
	// SealHandle makes the opaque string that old clients keep in place of
	// WeChat's session_key.
	SealHandle(SessionID) (string, error)
	// OpenHandle is its inverse; [ErrSessionStale] for anything else.
	OpenHandle(handle string) (SessionID, error)
	// SealPrefetch makes the opaque token of a session that WeChat's servers send with a
	// prefetch.
	SealPrefetch(SessionID) (string, error)
	// OpenPrefetch is its inverse; [ErrInvalidToken] for anything else.
	OpenPrefetch(token string) (SessionID, error)
	// TagRefresh is the keyed hash, [RefreshTagBytes] long, that shows that a
	// refresh token was issued.
	TagRefresh(token []byte) []byte
	// TaggedRefresh reports whether tag is TagRefresh's of token, with any of the
	// configured root secrets.
	TaggedRefresh(token, tag []byte) bool
}

// Verdict is what becomes of a session after it was looked at.
type Verdict int

// What [Store.Update]'s callback may decide.
const (
	Keep Verdict = iota // leave the record as it was
	Save                // write the changed record
	End                 // delete the record and revoke the session's access tokens
)

// Store keeps sessions, session keys and revocations. Every method is one atomic
// step, durable when it returns nil, and safe for concurrent use. A revocation
// that a method makes is in effect on this replica when it returns. Failures of
// the store itself wrap [ErrStoreUnavailable].
type Store interface {
	// Create adds a session and, when key is not empty, makes it the newest of
	// the user's session keys. It ends the user's oldest sessions that have not expired, so
	// that with the new one there are no more than the limit, and returns their IDs. With
	// a configured limit they are replaced, which [Revocations.Replaced] or the error of a
	// later [Store.Update] says until they would have ended by themselves. It returns a
	// [*CreatedTooEarlyError] if the user was revoked at or after the time in the session's
	// ID.
	Create(ctx context.Context, s *Session, key SessionKey, limit SessionLimit) (ended []SessionID, err error)
	// Session reads one; [ErrNoSession] if it does not exist or has ended, and then also
	// [ErrSessionReplaced] where only the store knows that.
	Session(ctx context.Context, id SessionID) (*Session, error)
	// Update reads a session, has decide change it, and carries out the verdict.
	// Two updates of one session happen one after the other: decide may be
	// called again, with a fresh copy, when another came between. An error from
	// decide is returned as it is, after the verdict was carried out.
	Update(ctx context.Context, id SessionID, decide func(*Session) (Verdict, error)) error
	// EndUser ends every session that the user has, revokes whatever began at or
	// before at, or before the newest of those sessions if that is later, and
	// forgets the user's session keys. The revocation is kept until the last token
	// of those sessions has expired, and not before until: there may be tokens
	// whose session the store has lost. It returns how many of the sessions that it
	// ended had not expired.
	EndUser(ctx context.Context, u User, at, until time.Time) (ended int, err error)
	// List returns a page of the sessions that have not ended, in steps of a bounded
	// size. Whatever happens meanwhile, a session that is there from the first page to
	// the last is in exactly one of them. [ErrInvalidCursor].
	List(ctx context.Context, q Query) (Page, error)
	// Erase is EndUser, and leaves no record, key or index entry of the user, also where
	// the store keeps deleted records until it needs their space. The revocation is kept
	// under a keyed hash, as an [ErasedUser]; so are the user's attempts, which would
	// otherwise start again at 0. A second call does no harm, and wipes again what the
	// first one could not when it failed.
	Erase(ctx context.Context, u User, at, until time.Time) (Erased, error)
	// UsersOf returns the users who have a session with this unionid that has not ended, in
	// any order. They may be of several persons: see [Scope].
	UsersOf(ctx context.Context, u UnionID) ([]User, error)
	// SessionKeys are the user's, newest first, at most [MaxSessionKeys]; none
	// once the user's last session has ended.
	SessionKeys(ctx context.Context, u User) ([]SessionKey, error)
	// PutSessionKey makes key the newest of the user's session keys.
	PutSessionKey(ctx context.Context, u User, key SessionKey) error
	// DropSessionKey forgets one of the user's session keys.
	DropSessionKey(ctx context.Context, u User, key SessionKey) error
	// UpdateAttempts has change edit the user's attempts to decrypt open data, those
	// of the zero value when none are kept, and keeps the result until
	// [Attempts.Until]. Two updates of one user happen one after the other: change
	// may be called again, with a fresh copy, when another came between. They
	// outlive the user's sessions, or logging out would reset them.
	UpdateAttempts(ctx context.Context, u User, change func(*Attempts)) error
	// Attempts are the user's attempts to decrypt open data.
	Attempts(ctx context.Context, u User) (*Attempts, error)
	// RevokeSession refuses every token of a session, until until, whether or not
	// the store has that session. It ends nothing.
	RevokeSession(ctx context.Context, id SessionID, until time.Time) error
	// RevokeKey refuses every token that a signing key signed, until until.
	RevokeKey(ctx context.Context, key KeyID, until time.Time) error
}

// Revocations is asked on every request, and reads memory only.
type Revocations interface {
	// Revoked reports whether id was ended before its token expires.
	Revoked(id *Identity) bool
	// Replaced reports whether a revoked session ended because its user began another.
	Replaced(id SessionID) bool
	// NotAfter is until when a user's sessions began that were ended together; the zero
	// time if none were, or so long ago that no token of them is left.
	NotAfter(u User) time.Time
}
