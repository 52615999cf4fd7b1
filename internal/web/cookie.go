package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// cookiePrefix lets secret scanners find a leaked cookie.
	cookiePrefix = "wxc_"
	// cookieSecretBytes is the part of a cookie that only its browser knows.
	cookieSecretBytes = 32
	sessionIDBytes    = 16 // see auth.SessionID
	cookieChars       = len(cookiePrefix) + (sessionIDBytes+cookieSecretBytes)*4/3

	// cookieDomain makes the digest of a cookie different from that of a refresh token.
	cookieDomain = "wxgate browser session\x00"
)

// strictBase64 refuses unused trailing bits, so that one value has one spelling.
var strictBase64 = base64.RawURLEncoding.Strict()

// Cookie is the credential of a browser session: it names the session and proves that its
// browser began the session. Only its digest is stored. It changes only with a login.
type Cookie struct {
	Session auth.SessionID
	secret  [cookieSecretBytes]byte
}

// newCookie returns a cookie for a session whose ID is not known yet.
func newCookie() Cookie {
	var c Cookie
	_, _ = rand.Read(c.secret[:]) // never fails: crypto/rand.Read
	return c
}

// ParseCookie accepts exactly what [Cookie.Value] returns; otherwise the error wraps
// [auth.ErrInvalidToken].
func ParseCookie(value string) (Cookie, error) {
	const want = sessionIDBytes + cookieSecretBytes
	body, ok := strings.CutPrefix(value, cookiePrefix)
	if !ok || len(body) != base64.RawURLEncoding.EncodedLen(want) {
		return Cookie{}, fmt.Errorf("%w: not a session cookie", auth.ErrInvalidToken)
	}
	raw, err := strictBase64.DecodeString(body)
	if err != nil || len(raw) != want { // decoding skips line breaks
		return Cookie{}, fmt.Errorf("%w: the session cookie is not base64url", auth.ErrInvalidToken)
	}
	c := Cookie{Session: auth.SessionIDOf([sessionIDBytes]byte(raw[:sessionIDBytes]))}
	copy(c.secret[:], raw[sessionIDBytes:])
	return c, nil
}

// Value returns the cookie as the browser receives it. Do not log it.
func (c Cookie) Value() string {
	id, ok := c.Session.Bytes()
	if !ok {
		return ""
	}
	return cookiePrefix + base64.RawURLEncoding.EncodeToString(append(id[:], c.secret[:]...))
}

// Format keeps a cookie out of logs, whichever verb prints it.
func (c Cookie) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[session cookie]")) }

func (c Cookie) digest() auth.Digest {
	return sha256.Sum256(append([]byte(cookieDomain), c.secret[:]...))
}

// opens reports whether the cookie is the one with which the session began.
func (c Cookie) opens(s *auth.Session) bool {
	digest := c.digest()
	return s.Door.Browser() && subtle.ConstantTimeCompare(digest[:], s.Refresh.Current[:]) == 1
}
