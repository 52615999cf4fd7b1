package caddymodule

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
)

// The values of `encrypted_phone`.
const (
	phoneVerified   = "verified"
	phoneUnverified = "unverified"
)

func checkEncryptedPhone(value string) error {
	if value != phoneVerified && value != phoneUnverified {
		return fmt.Errorf("encrypted_phone %q: expected one of: %s, %s", value, phoneVerified, phoneUnverified)
	}
	return nil
}

// The outcomes of attempts to decrypt open data, in metrics.
const (
	decodeOpened  = "opened"
	decodeFailed  = "failed"  // also data of another user or app, or too old
	decodeStale   = "stale"   // the session_key is locked or not known
	decodeLimited = "limited" // by limit decode, or by the failures of the day
)

// observeDecode counts one attempt of an app's user. What is refused before the
// user is known, and what the store fails at, is no attempt.
func (c *collectors) observeDecode(app auth.AppID, err error) {
	var outcome string
	switch {
	case app == "":
		return
	case err == nil:
		outcome = decodeOpened
	case errors.Is(err, auth.ErrRateLimited):
		outcome = decodeLimited
	case errors.Is(err, auth.ErrSessionStale):
		outcome = decodeStale
	case errors.Is(err, auth.ErrDecryptFailed), errors.Is(err, auth.ErrWatermarkMismatch), errors.Is(err, auth.ErrWatermarkStale):
		outcome = decodeFailed
	default:
		return
	}
	c.decodes.WithLabelValues(string(app), outcome).Inc()
}

// keyLocked warns that a session_key was locked: by an attack, or by a client
// that sends stale data in a loop.
func (rt *runtime) keyLocked(u auth.User, reset error) {
	fields := []zap.Field{
		zap.String("app", string(u.App)),
		zap.String("user_id", rt.tokens.Pseudonym(u)),
		zap.Bool("replaced", reset == nil),
	}
	if reset != nil && !errors.Is(reset, auth.ErrUnsupported) {
		fields = append(fields, zap.NamedError("cause", reset))
	}
	rt.logger.Warn("session_key locked for 24h: too many attempts to decrypt data with it failed", fields...)
}
