package session

import (
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// Errors that an operator can act on. Each message says how.
var (
	// ErrLocked means that another process has the file open.
	ErrLocked = errors.New("the session store is in use")
	// ErrCorrupt means that a file is not a session store, or is damaged.
	ErrCorrupt = errors.New("the session store is damaged")
	// ErrNewerSchema means that a newer version of wxgate wrote the store.
	ErrNewerSchema = errors.New("the session store was written by a newer version of wxgate")
	// ErrOtherSecret means that a file or a record was sealed with a root secret that is
	// not configured.
	ErrOtherSecret = errors.New("the session store was sealed with another root secret")
	// ErrBadRecord means that a record was decrypted, but its content is not valid for a
	// record of its kind.
	ErrBadRecord = errors.New("unreadable record")
)

// Unavailable wraps an error with the class that clients see.
func Unavailable(err error) error {
	if err == nil || errors.Is(err, auth.ErrStoreUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
}
