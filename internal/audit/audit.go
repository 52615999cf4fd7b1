// Package audit has the events that wxgate records: what users, WeChat, operators and wxgate
// itself did to sessions and keys. It depends on neither HTTP nor Caddy.
package audit

import (
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
)

// Action is what was done: a closed set.
type Action string

// The actions.
const (
	Login          Action = "login"                // a login code was presented
	Mint           Action = "mint"                 // a session was begun without a login code, with dev_mode
	RefreshRefused Action = "refresh_refused"      // a refresh token was presented and refused
	Logout         Action = "logout"               // a client ended a session, or all of its user
	Decode         Action = "decode"               // a phone number was requested
	Revocation     Action = "revocation"           // a session, or all sessions of a user, were ended, not by the user
	KeysForgotten  Action = "session_keys_deleted" // the user withdrew consent for the data that the session keys decrypt
	KeyRotated     Action = "key_rotated"          // a signing key was made: the first or the next
	KeyRetired     Action = "key_retired"          // a signing key was removed, with all its tokens

	BudgetExhausted Action = "phone_budget_exhausted" // the first phone code of a window was refused
)

// Actions returns all of them.
func Actions() []Action {
	return []Action{Login, Mint, RefreshRefused, Logout, Decode, Revocation, KeysForgotten, KeyRotated, KeyRetired, BudgetExhausted}
}

// By is who did it: a closed set.
type By string

// The actors.
const (
	Client   By = "client"
	WeChat   By = "wechat"   // the callback
	Operator By = "operator" // the admin API
	Gateway  By = "gateway"  // wxgate itself
)

// Event is one recorded event. Empty fields do not apply, or are not known. No field
// contains a secret, an openid or a phone number.
type Event struct {
	Action  Action
	By      By
	App     auth.AppID // configured
	UserID  string     // the user's pseudonym, as in all logs
	Session auth.SessionID
	All     bool       // the event is about all sessions of the user, not one
	Key     auth.KeyID // with [KeyRotated] and [KeyRetired]
	Phone   Phone      // with [Decode] that succeeded
	Door    string     // with [Login] of a browser: how it logged in
	Risk    string     // with [Login] that asked for it: the rank as a digit, or unknown
	Address string     // of the client
	Request string     // the ID of the request, as in the access log; not of the admin API
	Cause   string     // with [Revocation] and [KeysForgotten] by WeChat: the event
	Ended   int        // sessions, with [Revocation]
	Outcome string     // ok or the error code
}

// Phone is what a decoded phone number proves: a closed set.
type Phone string

// The kinds of phone numbers.
const (
	Verified   Phone = "verified"
	Unverified Phone = "unverified" // the client's claim
	Test       Phone = "test"       // verified, and replaced because of test_phone
)

// OK is the outcome of an action that succeeded.
const OK = "ok"

type field struct{ name, value string }

// fields returns the fields with strings, empty ones included.
func (e Event) fields() []field {
	return []field{
		{"by", string(e.By)}, {"app", string(e.App)}, {"user_id", e.UserID}, {"session", string(e.Session)},
		{"key", string(e.Key)}, {"phone", string(e.Phone)}, {"door", e.Door}, {"risk", e.Risk}, {"cause", e.Cause}, {"client", e.Address}, {"uuid", e.Request},
	}
}

// Write writes one line of an event. Its message is the action.
func Write(logger *zap.Logger, e Event) {
	fields := make([]zap.Field, 0, 10)
	for _, f := range e.fields() {
		if f.value != "" {
			fields = append(fields, zap.String(f.name, f.value))
		}
	}
	if e.All {
		fields = append(fields, zap.Bool("all", true))
	}
	if e.Action == Revocation {
		fields = append(fields, zap.Int("sessions", e.Ended))
	}
	logger.Info(string(e.Action), append(fields, zap.String("outcome", e.Outcome))...)
}
