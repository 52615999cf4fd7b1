package signing

import "errors"

// The errors about keys. Each is wrapped with the cause and with advice.
var (
	// ErrAlg reports an unsupported algorithm, or a key that is not for its algorithm.
	ErrAlg = errors.New("signing algorithm")
	// ErrKey reports a signing key that cannot be read.
	ErrKey = errors.New("signing key unreadable")
	// ErrWeakKey reports a signing key that can be read but must not be used.
	ErrWeakKey = errors.New("signing key too weak")
)
