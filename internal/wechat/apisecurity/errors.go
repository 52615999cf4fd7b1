package apisecurity

import (
	"errors"
	"fmt"
)

// ErrRequest is returned for a request that cannot be encrypted. It is the caller's
// mistake.
var ErrRequest = errors.New("the request cannot be encrypted")

// ErrRefused is returned for every response that may not be WeChat's. The errors below
// are its causes.
var ErrRefused = errors.New("response refused by api_security")

// The causes of a refusal.
var (
	// ErrNotEncrypted is for a plain response that is not an error.
	ErrNotEncrypted = fmt.Errorf("%w: not encrypted", ErrRefused)
	// ErrUnsigned is for an encrypted response without exactly one appid, timestamp,
	// serial and signature in its headers.
	ErrUnsigned = fmt.Errorf("%w: a Wechatmp header is missing or repeated", ErrRefused)
	// ErrAppID is for headers that name another mini program.
	ErrAppID = fmt.Errorf("%w: made for another appid", ErrRefused)
	// ErrTimestamp is for a timestamp that is not a number or outside [Window].
	ErrTimestamp = fmt.Errorf("%w: the timestamp is outside the window; check the clock", ErrRefused)
	// ErrSerial is for a response without a signature by a configured key.
	ErrSerial = fmt.Errorf("%w: signed with an unknown serial; add WeChat's new certificate with verify", ErrRefused)
	// ErrSignature is for a wrong signature.
	ErrSignature = fmt.Errorf("%w: the signature is wrong", ErrRefused)
	// ErrDecrypt is for a ciphertext that the configured key does not open.
	ErrDecrypt = fmt.Errorf("%w: not encrypted with the configured key for this call", ErrRefused)
	// ErrMismatch is for encrypted data whose appid or timestamp differs from the headers.
	ErrMismatch = fmt.Errorf("%w: the encrypted appid or timestamp differs from the headers", ErrRefused)
)

// Outcome is the result of checking the response to an encrypted call: a closed set, suitable
// as a metric label.
type Outcome string

// The outcomes.
const (
	Verified     Outcome = "verified"
	Deprecated   Outcome = "deprecated"  // verified with a certificate that WeChat replaces
	PlainError   Outcome = "plain_error" // an error that is not authenticated
	notEncrypted Outcome = "not_encrypted"
	unsigned     Outcome = "unsigned"
	otherAppID   Outcome = "appid"
	timestamp    Outcome = "timestamp"
	serial       Outcome = "serial"
	signature    Outcome = "signature"
	undecrypted  Outcome = "decrypt"
	mismatch     Outcome = "mismatch"
)

// refusals are the causes with their outcomes.
var refusals = []struct {
	err     error
	outcome Outcome
}{
	{ErrNotEncrypted, notEncrypted},
	{ErrUnsigned, unsigned},
	{ErrAppID, otherAppID},
	{ErrTimestamp, timestamp},
	{ErrSerial, serial},
	{ErrSignature, signature},
	{ErrDecrypt, undecrypted},
	{ErrMismatch, mismatch},
}

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	all := []Outcome{Verified, Deprecated, PlainError}
	for _, refusal := range refusals {
		all = append(all, refusal.outcome)
	}
	return all
}

// OutcomeOf returns the outcome of a refusal; "" for any other error.
func OutcomeOf(err error) Outcome {
	for _, refusal := range refusals {
		if errors.Is(err, refusal.err) {
			return refusal.outcome
		}
	}
	return ""
}
