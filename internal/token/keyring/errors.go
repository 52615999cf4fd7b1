package keyring

import "errors"

// The errors that an operator can act on. Each is wrapped with the cause and with advice.
var (
	// ErrConfig reports a setting that cannot work.
	ErrConfig = errors.New("token settings")
	// ErrKeyRefused reports a configured key that an operator has retired.
	ErrKeyRefused = errors.New("signing key was retired")
	// ErrKeyGiven reports a request to rotate a key that comes from the configuration.
	ErrKeyGiven = errors.New("signing key comes from the configuration")
	// ErrUnknownKey reports a key ID that is not in the ring.
	ErrUnknownKey = errors.New("no such signing key")
	// ErrNoSigner reports a ring without a key that can sign here now.
	ErrNoSigner = errors.New("no signing key")
	// ErrOtherSecret reports a ring sealed with a root secret that is not configured.
	ErrOtherSecret = errors.New("signing keys are sealed with another root secret")
	// ErrUnreadable reports a stored ring that was changed or truncated.
	ErrUnreadable = errors.New("stored signing keys unreadable")
	// ErrFull reports that the ring has no room for another key.
	ErrFull = errors.New("too many signing keys")
)
