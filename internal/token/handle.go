package token

import (
	"encoding/base64"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
)

const (
	handlePurpose = "handle"
	sessionBytes  = 16 // of a session ID, see auth.SessionID
)

// SealHandle returns the opaque string that an old client keeps in place of WeChat's
// session_key. It discloses nothing, and only data of its own user can be decrypted
// with it.
func (t *Tokens) SealHandle(id auth.SessionID) (string, error) {
	if _, err := auth.ParseSessionID(string(id)); err != nil {
		return "", fmt.Errorf("sealing a handle: %w", err)
	}
	raw, err := strictBase64.DecodeString(string(id))
	if err != nil {
		return "", fmt.Errorf("sealing a handle: %w", err)
	}
	sealed, err := t.box.Seal(handlePurpose, raw, nil)
	if err != nil {
		return "", fmt.Errorf("sealing a handle: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// OpenHandle is the inverse of [Tokens.SealHandle]. For any other string, including
// WeChat's own session_key, the error is auth.ErrSessionStale: the client logs in
// again.
func (t *Tokens) OpenHandle(handle string) (auth.SessionID, error) {
	if want := base64.RawURLEncoding.EncodedLen(sessionBytes + seal.Overhead); len(handle) != want {
		return "", fmt.Errorf("%w: a handle has %d characters, this has %d", auth.ErrSessionStale, want, len(handle))
	}
	sealed, err := strictBase64.DecodeString(handle)
	if err != nil {
		return "", fmt.Errorf("%w: the handle is not base64url", auth.ErrSessionStale)
	}
	raw, err := t.box.Open(handlePurpose, sealed, nil)
	if err != nil {
		return "", fmt.Errorf("%w: the handle does not open: %w", auth.ErrSessionStale, err)
	}
	return auth.SessionID(base64.RawURLEncoding.EncodeToString(raw)), nil
}
