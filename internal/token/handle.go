package token

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
)

const (
	handlePurpose   = "handle"
	prefetchPurpose = "prefetch"
	sessionBytes    = 16 // of a session ID, see auth.SessionID

	// prefetchPrefix lets secret scanners find a leaked token.
	prefetchPrefix = "wxp_"
)

// SealHandle returns the opaque string that an old client keeps in place of WeChat's
// session_key. It reveals nothing, and can be used only to decrypt data of its own user.
func (t *Tokens) SealHandle(id auth.SessionID) (string, error) {
	return t.sealSession(handlePurpose, id)
}

// OpenHandle is the inverse of [Tokens.SealHandle]. For any other string, including
// WeChat's own session_key, the error is auth.ErrSessionStale: the client logs in
// again.
func (t *Tokens) OpenHandle(handle string) (auth.SessionID, error) {
	return t.openSession(handlePurpose, handle, auth.ErrSessionStale)
}

// SealPrefetch returns the opaque token of a session for WeChat's servers, which send it with
// a prefetch of the session's user.
func (t *Tokens) SealPrefetch(id auth.SessionID) (string, error) {
	sealed, err := t.sealSession(prefetchPurpose, id)
	return prefetchPrefix + sealed, err
}

// OpenPrefetch is the inverse of [Tokens.SealPrefetch]. For any other string, including an
// access token and a handle, the error is auth.ErrInvalidToken.
func (t *Tokens) OpenPrefetch(token string) (auth.SessionID, error) {
	sealed, ok := strings.CutPrefix(token, prefetchPrefix)
	if !ok {
		return "", fmt.Errorf("%w: not a prefetch token", auth.ErrInvalidToken)
	}
	return t.openSession(prefetchPurpose, sealed, auth.ErrInvalidToken)
}

func (t *Tokens) sealSession(purpose string, id auth.SessionID) (string, error) {
	raw, ok := id.Bytes()
	if !ok {
		return "", fmt.Errorf("%w: sealing a %s of no session id", auth.ErrInvalidToken, purpose)
	}
	sealed, err := t.box.Seal(purpose, raw[:], nil)
	if err != nil {
		return "", fmt.Errorf("sealing a %s: %w", purpose, err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// openSession returns the given class of error for anything that sealSession did not return
// for the same purpose.
func (t *Tokens) openSession(purpose, text string, class error) (auth.SessionID, error) {
	if want := base64.RawURLEncoding.EncodedLen(sessionBytes + seal.Overhead); len(text) != want {
		return "", fmt.Errorf("%w: a %s has %d characters, this has %d", class, purpose, want, len(text))
	}
	sealed, err := strictBase64.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("%w: the %s is not base64url", class, purpose)
	}
	raw, err := t.box.Open(purpose, sealed, nil)
	if err != nil {
		return "", fmt.Errorf("%w: the %s does not open: %w", class, purpose, err)
	}
	return auth.SessionID(base64.RawURLEncoding.EncodeToString(raw)), nil
}
