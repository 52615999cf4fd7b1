package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth/successor"
)

const (
	// refreshPrefix lets secret scanners find a leaked refresh token.
	refreshPrefix = "wxr_"
	// refreshSecretBytes is the part of a refresh token that only its holder knows.
	refreshSecretBytes = 32
	// RefreshTagBytes is the length of a refresh token's tag.
	RefreshTagBytes = sha256.Size

	// RefreshGrace is how long after a rotation the token before it still yields
	// its successor: a lost response is retried within seconds. Time in which
	// the store was unreachable does not count: no client could get a response.
	RefreshGrace = 20 * time.Second
	// MaxRefreshReplays is how often it does so. Two tabs and a retry need three.
	MaxRefreshReplays = 5
)

// RefreshToken is an opaque, rotating token: it names its session and proves
// that its holder got the last response. Only its digest is ever stored.
//
// An issued token ends with a tag, a keyed hash of the rest. Upstreams and logs
// have the session's ID, so without the tag anyone who reads it could present a
// token that looks replaced and so end the session.
type RefreshToken struct {
	Session SessionID
	secret  [refreshSecretBytes]byte
	tag     [RefreshTagBytes]byte // zero in tokens issued before tags existed
}

// NewRefreshToken makes a fresh token for a session.
func NewRefreshToken(id SessionID) RefreshToken {
	t := RefreshToken{Session: id}
	_, _ = rand.Read(t.secret[:]) // never fails: crypto/rand.Read
	return t
}

// ParseRefreshToken accepts exactly what [RefreshToken.String] writes; otherwise
// the error wraps [ErrInvalidToken].
func ParseRefreshToken(s string) (RefreshToken, error) {
	const untagged = sessionIDBytes + refreshSecretBytes
	want := untagged
	body, ok := strings.CutPrefix(s, refreshPrefix)
	if len(body) != base64.RawURLEncoding.EncodedLen(untagged) {
		want = untagged + RefreshTagBytes
	}
	if !ok || len(body) != base64.RawURLEncoding.EncodedLen(want) {
		return RefreshToken{}, fmt.Errorf("%w: not a refresh token", ErrInvalidToken)
	}
	raw, err := strictBase64.DecodeString(body)
	if err != nil || len(raw) != want {
		return RefreshToken{}, fmt.Errorf("%w: refresh token is not base64url", ErrInvalidToken)
	}
	t := RefreshToken{Session: SessionID(base64.RawURLEncoding.EncodeToString(raw[:sessionIDBytes]))}
	copy(t.secret[:], raw[sessionIDBytes:untagged])
	copy(t.tag[:], raw[untagged:])
	return t, nil
}

// String returns the token as the client receives it. Do not log it.
func (t RefreshToken) String() string {
	raw := t.untagged()
	if raw == nil {
		return ""
	}
	if t.tag != [RefreshTagBytes]byte{} {
		raw = append(raw, t.tag[:]...)
	}
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// untagged returns the bytes that the tag is a hash of; nil when the session ID is invalid.
func (t RefreshToken) untagged() []byte {
	id, err := decodeSessionID(string(t.Session))
	if err != nil {
		return nil
	}
	return append(id[:], t.secret[:]...)
}

// Format keeps a token out of logs, whichever verb prints it.
func (t RefreshToken) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[refresh token]")) }

// Digest identifies a refresh token's secret without revealing it.
type Digest [sha256.Size]byte

func (t RefreshToken) digest() Digest { return sha256.Sum256(t.secret[:]) }

// RefreshState is what a session remembers of its refresh tokens.
type RefreshState struct {
	Current   Digest
	Previous  Digest    // zero before the first rotation
	RotatedAt time.Time // zero before the first rotation
	Replays   int       // how often Previous was presented again since RotatedAt
	// Successor is the current token sealed under a key that only Previous
	// yields, so that the store alone cannot read it.
	Successor []byte
}

// StartRefresh returns the state of a session whose first refresh token is t.
func StartRefresh(t RefreshToken) RefreshState { return RefreshState{Current: t.digest()} }

// Rotate presents a refresh token to the state and returns the token for the response.
//
// The current token is spent and replaced by next. The previous token returns the same
// successor again, within grace of its rotation and at most [MaxRefreshReplays] times: a
// client that lost the response, or refreshed twice at once, ends up with one token. A
// replay does not extend the window.
//
// A previous token that comes later or more often is a copy: [ErrRefreshReused], and the
// caller must end the session. Any other token is [ErrInvalidToken]: the state cannot
// distinguish an older token from a forged one. The state is then unchanged.
func (r *RefreshState) Rotate(presented, next RefreshToken, now time.Time, grace time.Duration) (RefreshToken, error) {
	digest := presented.digest()
	isCurrent := subtle.ConstantTimeCompare(digest[:], r.Current[:]) == 1
	isPrevious := subtle.ConstantTimeCompare(digest[:], r.Previous[:]) == 1 && !r.RotatedAt.IsZero()
	replayable := now.Sub(r.RotatedAt) <= grace && r.Replays < MaxRefreshReplays
	switch {
	case isCurrent:
		sealed, err := successor.Seal(presented.secret[:], next.secret[:], string(presented.Session))
		if err != nil {
			return RefreshToken{}, err
		}
		*r = RefreshState{Current: next.digest(), Previous: digest, RotatedAt: now, Successor: sealed}
		return next, nil
	case isPrevious && replayable:
		again, err := openSuccessor(presented, r.Successor)
		if err != nil {
			return RefreshToken{}, err
		}
		r.Replays++
		return again, nil
	case isPrevious:
		return RefreshToken{}, fmt.Errorf("%w: the previous refresh token was presented too late or too often", ErrRefreshReused)
	default:
		return RefreshToken{}, fmt.Errorf("%w: neither the current refresh token nor the previous one", ErrInvalidToken)
	}
}

// Knows reports whether t is the current or the previous token, and therefore whether its
// holder may end the session (RFC 7009).
func (r *RefreshState) Knows(t RefreshToken) bool {
	digest := t.digest()
	current := subtle.ConstantTimeCompare(digest[:], r.Current[:])
	previous := subtle.ConstantTimeCompare(digest[:], r.Previous[:])
	return current == 1 || previous == 1 && !r.RotatedAt.IsZero()
}

// openSuccessor returns the token that replaced a spent one.
func openSuccessor(spent RefreshToken, sealed []byte) (RefreshToken, error) {
	secret, err := successor.Open(spent.secret[:], sealed, string(spent.Session))
	if err != nil || len(secret) != refreshSecretBytes {
		return RefreshToken{}, fmt.Errorf("%w: successor unreadable", ErrStoreUnavailable)
	}
	next := RefreshToken{Session: spent.Session}
	copy(next.secret[:], secret)
	return next, nil
}
