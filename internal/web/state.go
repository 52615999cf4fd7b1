package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// StateLife is how long a login may take, from the redirect to WeChat to its return: a
	// user may have to find a phone. WeChat's code is valid for 5 minutes.
	StateLife = 10 * time.Minute
	// stateBytes is the length of a state. WeChat returns at most 128 letters and digits, so
	// a state is random, and its login is stored in a cookie.
	stateBytes = 16
	stateChars = 2 * stateBytes
)

// State is a login at WeChat that is in progress.
type State struct {
	App    auth.AppID `json:"a"`
	Door   auth.Door  `json:"d"`
	Return string     `json:"r"` // where the browser goes afterwards; the caller has checked it
	Until  time.Time  `json:"u"`
}

// ErrState means that this browser did not begin a login with the state, or that the state is
// expired or used. This stops login CSRF: an attacker who sends a victim the last URL of their
// own login.
var ErrState = auth.ErrLoginState

// ValidState reports whether a text has the form of a state.
func ValidState(state string) bool {
	raw, err := hex.DecodeString(state)
	return err == nil && len(raw) == stateBytes && len(state) == stateChars
}

// NewState returns a state for the URL of WeChat's sign-in, and the sealed login for a cookie of
// the browser, which binds the state to the browser.
func (s *Service) NewState(login State) (state, sealed string, err error) {
	raw := make([]byte, stateBytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand.Read
	state = hex.EncodeToString(raw)
	login.Until = s.cfg.Now().Add(StateLife)
	plain, err := json.Marshal(login)
	if err != nil {
		return "", "", fmt.Errorf("encoding a state: %w", err)
	}
	box, err := s.cfg.Box.Seal(purposeState, plain, []byte(state))
	return state, strictBase64.EncodeToString(box), err
}

// OpenState returns the login of a state and of the cookie that was sent with it: [ErrState].
func (s *Service) OpenState(state, sealed string) (State, error) {
	if !ValidState(state) {
		return State{}, fmt.Errorf("%w: it is malformed", ErrState)
	}
	box, err := strictBase64.DecodeString(sealed)
	if err != nil || sealed == "" {
		return State{}, fmt.Errorf("%w: it is of no login of this browser", ErrState)
	}
	plain, err := s.cfg.Box.Open(purposeState, box, []byte(state))
	if err != nil {
		return State{}, fmt.Errorf("%w: it is not that of the cookie: %w", ErrState, err)
	}
	var login State
	if err := json.Unmarshal(plain, &login); err != nil {
		return State{}, fmt.Errorf("%w: it cannot be read: %w", ErrState, err)
	}
	if !s.cfg.Now().Before(login.Until) {
		return State{}, fmt.Errorf("%w: it is expired", ErrState)
	}
	return login, nil
}

// SpendState marks a state as used, before its code is exchanged: [ErrState] if it is used. The
// browser also deletes the cookie, but too late for a request that was sent twice.
func (s *Service) SpendState(ctx context.Context, state string, login State) error {
	err := s.cfg.Records.Add(ctx, recordID(purposeState, state), nil, login.Until)
	if errors.Is(err, ErrRecordExists) {
		return fmt.Errorf("%w: it was used", ErrState)
	}
	return err
}
