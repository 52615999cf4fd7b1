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
	// ErrNewerSchema is a file that a newer wxgate wrote.
	ErrNewerSchema = errors.New("the session store is of a newer wxgate")
	// ErrOtherSecret is a file, or a record, that was sealed with a root secret
	// that is not configured.
	ErrOtherSecret = errors.New("the session store was sealed with another root secret")
	// ErrBadRecord is a record that was opened and does not say what a record
	// of its kind says.
	ErrBadRecord = errors.New("unreadable record")
)

// The ways out of a store that does not open. Losing one is no disaster, which
// an operator in the middle of the night has to be told.
const (
	adviseLocked = "another wxgate or `wxgate store` has it open: stop that one, or give this one a path of its own"

	adviseCorrupt = "restore it from a backup, or move it away: the next start makes a new one and every user logs in again silently (wx.login); no data of the business is in it"

	adviseNewer = "run the newer wxgate again, or move the file away: every user logs in again silently (wx.login)"

	adviseSecret = "add the root secret that it was made with behind the new one (secret <new> <old>), or move the file away: every user logs in again silently (wx.login)"
)

// unavailable puts an error into the class that clients learn.
func unavailable(err error) error {
	if err == nil || errors.Is(err, auth.ErrStoreUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
}
