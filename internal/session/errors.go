package session

import (
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// What an operator can act on. Each message says how.
var (
	// ErrLocked is a file that another process has open.
	ErrLocked = errors.New("the session store is in use")
	// ErrCorrupt is a file that is not a session store, or was damaged.
	ErrCorrupt = errors.New("the session store is damaged")
	// ErrNewerSchema is a store that a newer version of wxgate wrote.
	ErrNewerSchema = errors.New("the session store was written by a newer version of wxgate")
	// ErrOtherSecret is a file, or a record, that was sealed with a root secret
	// that is not configured.
	ErrOtherSecret = errors.New("the session store was sealed with another root secret")
	// ErrBadRecord is a record that was opened and does not say what a record
	// of its kind says.
	ErrBadRecord = errors.New("unreadable record")
)

// Unavailable puts an error into the class that clients learn.
func Unavailable(err error) error {
	if err == nil || errors.Is(err, auth.ErrStoreUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
}
