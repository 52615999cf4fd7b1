package metrics

import (
	"errors"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// Outcome returns the outcome of a call: ok or the error code.
func Outcome(err error) string {
	if err == nil {
		return OK
	}
	return problem.Of(err).Code
}

// The outcomes of a store's operation, besides [OK].
const (
	unavailable = "unavailable"
	failed      = "failed"
)

// storeRefusals are errors of a store that works: the session does not exist, or a rule refuses
// the operation.
var storeRefusals = []error{
	auth.ErrNoSession, auth.ErrSessionRevoked, auth.ErrSessionReplaced, auth.ErrRefreshReused, auth.ErrInvalidToken, auth.ErrAppNotAdmitted, auth.ErrSessionStale,
}

// StoreOutcome returns the outcome of an operation of a store: ok, unavailable or failed.
func StoreOutcome(err error) string {
	if err == nil {
		return OK
	}
	if errors.Is(err, auth.ErrStoreUnavailable) {
		return unavailable
	}
	if _, early := errors.AsType[*auth.CreatedTooEarlyError](err); early {
		return OK
	}
	for _, refusal := range storeRefusals {
		if errors.Is(err, refusal) {
			return OK
		}
	}
	return failed
}

// The outcomes of attempts to decrypt open data.
const (
	decodeOpened  = "opened"
	decodeFailed  = "failed"  // also data of another user or app, or too old
	decodeStale   = "stale"   // the session_key is locked or not known
	decodeLimited = "limited" // by limit decode, or by the failures of the day
)

// ObserveDecode counts one attempt of an app's user to decrypt open data. A request that is
// refused before the user is known is not an attempt, nor is a failure of the store.
func ObserveDecode(app auth.AppID, err error) {
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
	decodes.WithLabelValues(string(app), outcome).Inc()
}
