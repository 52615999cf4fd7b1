// Package secevent notifies a service of ended sessions with Security Event Tokens (RFC 8417),
// pushed as defined in RFC 8935.
package secevent

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// The types of events. The first two are those of OpenID's Shared Signals: CAEP 1.0
// section 3.1 and RISC 1.0 section 2.2.
const (
	SessionRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	AccountPurged  = "https://schemas.openid.net/secevent/risc/event-type/account-purged"
	EventsLost     = "https://github.com/wxgate/wxgate/event-type/events-lost"
)

// event is an event in the queue.
type event struct {
	App     auth.AppID     `json:"app,omitempty"` // empty for lost events
	OpenID  auth.OpenID    `json:"openid,omitempty"`
	Session auth.SessionID `json:"session,omitempty"`
	Cause   auth.Cause     `json:"cause,omitempty"`
	At      time.Time      `json:"at"`
}

// Encode returns the payload of the event for an ended session or user.
func Encode(e auth.Ended) []byte {
	return encode(event{App: e.User.App, OpenID: e.User.OpenID, Session: e.Session, Cause: e.Cause, At: e.At})
}

// EncodeLost returns the payload of the event for lost events, the first of them at since.
func EncodeLost(since time.Time) []byte { return encode(event{At: since}) }

func encode(e event) []byte {
	payload, _ := json.Marshal(e) // strings and a time cannot fail
	return payload
}

// Key returns a key that is the same for all events of one user, and different for other users.
func Key(u auth.User) []byte { return []byte(string(u.App) + "\x00" + string(u.OpenID)) }

// decode is the inverse of encode.
func decode(payload []byte) (event, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return event{}, fmt.Errorf("decoding an event: %w", err)
	}
	return e, nil
}

// subject is a subject identifier (RFC 9493), or a complex subject of OpenID Shared Signals 1.0
// section 3.3, whose members are subject identifiers.
type subject struct {
	Format      string   `json:"format"`
	ID          string   `json:"id,omitempty"`
	Issuer      string   `json:"iss,omitempty"`
	Subject     string   `json:"sub,omitempty"`
	User        *subject `json:"user,omitempty"`
	Application *subject `json:"application,omitempty"`
	Session     *subject `json:"session,omitempty"`
}

func opaque(id string) *subject { return &subject{Format: "opaque", ID: id} }

// subject identifies the user (iss, sub and client_id) and the session (sid) in the same way as
// access tokens.
func (e event) subject(issuer string) *subject {
	if e.App == "" {
		return opaque("events")
	}
	s := &subject{
		Format:      "complex",
		User:        &subject{Format: "iss_sub", Issuer: issuer, Subject: string(e.OpenID)},
		Application: opaque(string(e.App)),
	}
	if e.Session != "" {
		s.Session = opaque(string(e.Session))
	}
	return s
}

// ended are the claims of [SessionRevoked], as CAEP names them.
type ended struct {
	At     int64             `json:"event_timestamp"` // Unix seconds
	By     string            `json:"initiating_entity,omitempty"`
	Reason map[string]string `json:"reason_admin,omitempty"` // by language
}

// initiators are CAEP's initiating entities, by the cause that ended a session.
var initiators = map[auth.Cause]string{
	auth.CauseLogout:    "user",
	auth.CauseRevoked:   "user",
	auth.CauseWithdrawn: "user",
	auth.CauseReused:    "policy",
	auth.CauseLimit:     "policy",
	auth.CauseParent:    "policy",
	auth.CauseOperator:  "admin",
}

// events returns the claim events.
func (e event) events() map[string]any {
	switch {
	case e.App == "":
		return map[string]any{EventsLost: ended{At: e.At.Unix()}}
	case e.Cause == auth.CauseErased:
		return map[string]any{AccountPurged: struct{}{}}
	}
	return map[string]any{SessionRevoked: ended{At: e.At.Unix(), By: initiators[e.Cause], Reason: map[string]string{"en": string(e.Cause)}}}
}
