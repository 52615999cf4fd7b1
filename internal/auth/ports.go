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

// Watermark names the app for which the platform made the data, and the time.
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

// Opened is decrypted open data whose watermark was checked.
type Opened struct {
	JSON   []byte // the whole object, as the platform wrote it
	OpenID OpenID // empty when the data names no user
	Phone  *Phone // nil when the data is not a phone number
	// Unverified is true if the number is only a claim of the client, without proof: it
	// is returned to the client and not stored.
	Unverified bool
	// Unknown counts the members of a phone number that WeChat's documentation does not
	// list: WeChat may add some, and forged data may contain some.
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
	// [ErrInvalidRequest] for malformed fields, [ErrDecryptFailed] when no key opens it,
	// [ErrWatermarkMismatch], [ErrWatermarkStale].
	Open(keys []SessionKey, data OpenData) (Opened, error)
	// CheckPhone asks the platform whether it made the encrypted phone number recently;
	// [ErrDecryptFailed] if it did not, or too long ago. It returns nil if the operator
	// disabled this check.
	CheckPhone(ctx context.Context, data OpenData) error
	// Risk asks the platform how risky it considers a user who logs in from an IP
	// address. It returns an unknown risk, without an error, if the operator disabled
	// this check.
	Risk(ctx context.Context, openid OpenID, address string) (Risk, error)
	// CheckSession asks the platform whether key is still the user's session
	// key; [ErrSessionStale] when it is not.
	CheckSession(ctx context.Context, openid OpenID, key SessionKey) error
	// ResetSessionKey has the platform replace the user's session key.
	ResetSessionKey(ctx context.Context, openid OpenID, key SessionKey) (SessionKey, error)
}

// Tokens issues and verifies the credentials of clients.
type Tokens interface {
	// Issue signs an access token with the content of id. It sets TokenID and Key itself.
	Issue(id Identity) (string, error)
	// Verify checks all of a token but its revocation: [ErrInvalidToken],
	// [ErrTokenExpired].
	Verify(raw string) (*Identity, error)
	// SealHandle makes the opaque string that old clients keep in place of
	// WeChat's session_key.
	SealHandle(SessionID) (string, error)
	// OpenHandle is the inverse of SealHandle; [ErrSessionStale] for anything else.
	OpenHandle(handle string) (SessionID, error)
	// SealPrefetch makes the opaque token of a session that WeChat's servers send with a
	// prefetch.
	SealPrefetch(SessionID) (string, error)
	// OpenPrefetch is the inverse of SealPrefetch; [ErrInvalidToken] for anything else.
	OpenPrefetch(token string) (SessionID, error)
	// TagRefresh returns the keyed hash of a refresh token, [RefreshTagBytes] long, which
	// proves that the token was issued.
	TagRefresh(token []byte) []byte
	// TaggedRefresh reports whether tag is the result of TagRefresh for token, with any of
	// the configured root secrets.
	TaggedRefresh(token, tag []byte) bool
}

// Verdict is what [Store.Update] does with a session after its callback returned.
type Verdict int

// The verdicts.
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
	// Create adds a session and, when key is not empty, makes it the newest of the user's
	// session keys. If the user then has more sessions than limit allows, Create ends the
	// oldest ones that have not expired, and returns their IDs. If the limit is a
	// configured one, these sessions count as replaced: until they would have expired,
	// [Revocations.Replaced] or the error of a later [Store.Update] reports it. Create
	// returns a [*CreatedTooEarlyError] if the user was revoked at or after the time in the
	// session's ID.
	Create(ctx context.Context, s *Session, key SessionKey, limit SessionLimit) (ended []SessionID, err error)
	// Session returns a session; [ErrNoSession] if it does not exist or has ended, together
	// with [ErrSessionReplaced] where only the store knows that it was replaced.
	Session(ctx context.Context, id SessionID) (*Session, error)
	// Update reads a session, calls decide to change it, and carries out the verdict.
	// Updates of one session happen one after the other: decide may be called again, with
	// a fresh copy, if another update came between. An error from decide is returned
	// unchanged, after the verdict was carried out.
	Update(ctx context.Context, id SessionID, decide func(*Session) (Verdict, error)) error
	// EndUser ends every session of a user and forgets the user's session keys. It revokes
	// every session that began at or before at, or at or before the newest of the ended
	// sessions if that is later. The revocation is kept until the last token of those
	// sessions has expired, and at least until the time until: there may be tokens whose
	// session the store has lost. EndUser returns how many of the ended sessions had not
	// expired.
	EndUser(ctx context.Context, u User, at, until time.Time) (ended int, err error)
	// List returns a page of the sessions that have not ended, in steps of a bounded
	// size. Whatever happens meanwhile, a session that exists from the first page to
	// the last is in exactly one of them. [ErrInvalidCursor].
	List(ctx context.Context, q Query) (Page, error)
	// Erase does what EndUser does, and leaves no record, key or index entry of the user,
	// not even where the store keeps deleted records until it needs their space. The
	// revocation is kept under a keyed hash, as an [ErasedUser]; so are the user's
	// attempts, which would otherwise start again at 0. Erase may be repeated: after a
	// failure, the second call also wipes what the first call could not.
	Erase(ctx context.Context, u User, at, until time.Time) (Erased, error)
	// UsersOf returns the users who have a session with this unionid that has not ended, in
	// any order. They may be different persons: see [Scope].
	UsersOf(ctx context.Context, u UnionID) ([]User, error)
	// SessionKeys returns the user's session keys, newest first, at most
	// [MaxSessionKeys]; none once the user's last session has ended.
	SessionKeys(ctx context.Context, u User) ([]SessionKey, error)
	// PutSessionKey makes key the newest of the user's session keys.
	PutSessionKey(ctx context.Context, u User, key SessionKey) error
	// DropSessionKey forgets one of the user's session keys.
	DropSessionKey(ctx context.Context, u User, key SessionKey) error
	// UpdateAttempts calls change with the user's attempts to decrypt open data, or with
	// the zero value if none are stored, and keeps the result until [Attempts.Until].
	// Updates of one user happen one after the other: change may be called again, with a
	// fresh copy, if another update came between. Attempts outlive the user's sessions;
	// otherwise logging out would reset them.
	UpdateAttempts(ctx context.Context, u User, change func(*Attempts)) error
	// Attempts returns the user's attempts to decrypt open data.
	Attempts(ctx context.Context, u User) (*Attempts, error)
	// RevokeSession refuses every token of a session until the time until, whether or not
	// the store has that session. It does not end the session.
	RevokeSession(ctx context.Context, id SessionID, until time.Time) error
	// RevokeKey refuses every token that a signing key signed, until the time until.
	RevokeKey(ctx context.Context, key KeyID, until time.Time) error
}

// Revocations is consulted on every request, and reads memory only.
type Revocations interface {
	// Revoked reports whether id was ended before its token expires.
	Revoked(id *Identity) bool
	// Replaced reports whether a revoked session ended because its user began another.
	Replaced(id SessionID) bool
	// NotAfter returns the time of the user's last "log out everywhere": sessions that
	// began at or before it are revoked. It is the zero time if there was none, or if
	// every token of those sessions has expired.
	NotAfter(u User) time.Time
}
