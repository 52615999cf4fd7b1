package session

import (
	"encoding/base64"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

// cursorPurpose separates cursors from everything else that is sealed.
const cursorPurpose = "session/cursor"

// SealCursor returns the cursor of the next page of a query, which begins after position.
// The cursor is encrypted, and is valid for no other query: a client that changes it learns
// no session of another user.
func (v Vault) SealCursor(q auth.Query, position []byte) (string, error) {
	sealed, err := v.Box.Seal(cursorPurpose, position, cursorPlace(q))
	if err != nil {
		return "", fmt.Errorf("sealing a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// OpenCursor returns the position where the page of a query begins; nil for the first
// page. [auth.ErrInvalidCursor].
func (v Vault) OpenCursor(q auth.Query) ([]byte, error) {
	if q.Cursor == "" {
		return nil, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil {
		return nil, auth.ErrInvalidCursor
	}
	position, err := v.Box.Open(cursorPurpose, sealed, cursorPlace(q))
	if err != nil {
		return nil, auth.ErrInvalidCursor
	}
	return position, nil
}

// cursorPlace identifies a query. IDs have no NUL.
func cursorPlace(q auth.Query) []byte {
	return []byte(string(q.User.App) + "\x00" + string(q.User.OpenID) + "\x00" + string(q.App))
}
