package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

type (
	// AppID is a mini program's appid, such as wx4f4bc4dec97d474b.
	AppID string
	// OpenID names a user within one app.
	OpenID string
	// UnionID names a user across the apps of one Open Platform account.
	UnionID string
	// SessionID names one login: 16 bytes, base64url. The first 6 bytes are the
	// time of the login in Unix milliseconds, so that "everything of this user
	// until now" can be decided from a token alone; the next is the user's shard,
	// so that a store of several machines finds the session where its user is;
	// the other 9 are random.
	SessionID string
	// KeyID names a signing key: the RFC 7638 thumbprint of its public half.
	KeyID string
)

// User is one user of one app.
type User struct {
	App    AppID
	OpenID OpenID
}

// Shard spreads users evenly over 256 places: the first byte of the SHA-256 of
// the app, NUL and the openid. It is one of 256, and so does not reveal the user.
func (u User) Shard() byte {
	h := sha256.New()
	h.Write([]byte(u.App))
	h.Write([]byte{0})
	h.Write([]byte(u.OpenID))
	return h.Sum(nil)[0]
}

// Identity is who sent a request, as stated by an access token. It is shared between requests,
// and must not be changed after it was created.
type Identity struct {
	User
	UnionID UnionID
	Session SessionID
	Phone   string // E.164; empty when unknown
	Risk    Risk   // of the login
	Dev     bool   // the session was minted: no platform vouched for the user
	// Browser is true if the credential of the request is the cookie of a browser session;
	// Parent is then [Session.Parent]. Tokens contain neither.
	Browser bool
	Parent  SessionID
	// Pseudonym names the user in logs: a keyed hash of the app and the openid.
	Pseudonym string
	TokenID   string // jti
	Key       KeyID  // the key that signed the token
	IssuedAt  time.Time
	Expires   time.Time
}

// maxIDLength bounds openid, unionid and appid, in bytes. WeChat's are 18 to 29
// long; its documentation asks to store up to 64.
const maxIDLength = 64

// ValidID reports whether an appid, openid or unionid has the form that the
// platforms give them: [A-Za-z0-9_-]{1,64}. Anything else is refused before it
// becomes a header, a key or a log line, which stops header injection and two
// spellings of one user.
func ValidID[T ~string](id T) bool {
	if len(id) == 0 || len(id) > maxIDLength {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

const (
	sessionIDBytes     = 16
	sessionIDTimeBytes = 6 // Unix milliseconds until the year 10889
)

// NewSessionID makes the ID of a session of u that begins at began.
func NewSessionID(began time.Time, u User) SessionID {
	var b [sessionIDBytes]byte
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(began.UnixMilli()))
	copy(b[:], ms[8-sessionIDTimeBytes:])
	b[sessionIDTimeBytes] = u.Shard()
	_, _ = rand.Read(b[sessionIDTimeBytes+1:]) // never fails: crypto/rand.Read
	return SessionIDOf(b)
}

// ParseSessionID accepts exactly what [NewSessionID] makes; otherwise the error
// wraps [ErrInvalidToken].
func ParseSessionID(s string) (SessionID, error) {
	if _, err := decodeSessionID(s); err != nil {
		return "", err
	}
	return SessionID(s), nil
}

// Began is when the session began, to the millisecond; the zero time for a
// string that is not a session ID.
func (s SessionID) Began() time.Time {
	b, err := decodeSessionID(string(s))
	if err != nil {
		return time.Time{}
	}
	var ms [8]byte
	copy(ms[8-sessionIDTimeBytes:], b[:sessionIDTimeBytes])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))) //nolint:gosec // G115: six bytes cannot overflow
}

// Shard is [User.Shard] of the session's user, for an ID made by [NewSessionID]; 0 for a
// string that is not a session ID. The client chooses the ID that it sends: the shard says
// where to look, not who the user is.
func (s SessionID) Shard() byte {
	b, err := decodeSessionID(string(s))
	if err != nil {
		return 0
	}
	return b[sessionIDTimeBytes]
}

// Bytes returns the 16 bytes of the ID; false for a string that is not a session ID.
func (s SessionID) Bytes() (b [sessionIDBytes]byte, ok bool) {
	b, err := decodeSessionID(string(s))
	return b, err == nil
}

// SessionIDOf returns the ID with these bytes.
func SessionIDOf(b [sessionIDBytes]byte) SessionID {
	return SessionID(base64.RawURLEncoding.EncodeToString(b[:]))
}

func decodeSessionID(s string) ([sessionIDBytes]byte, error) {
	var b [sessionIDBytes]byte
	if len(s) != base64.RawURLEncoding.EncodedLen(sessionIDBytes) {
		return b, fmt.Errorf("%w: session id of %d characters", ErrInvalidToken, len(s))
	}
	// Decode into the array to avoid an allocation: every request calls Began.
	n, err := strictBase64.Decode(b[:], []byte(s))
	if err != nil || n != sessionIDBytes {
		return [sessionIDBytes]byte{}, fmt.Errorf("%w: session id is not base64url", ErrInvalidToken)
	}
	return b, nil
}

// strictBase64 refuses unused trailing bits, so that one value has one spelling.
// Decoding skips line breaks, so callers must also check the length of the result.
var strictBase64 = base64.RawURLEncoding.Strict()
