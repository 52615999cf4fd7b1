package adminapi

import (
	"context"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/problem"
)

// EraseReceipt is the response of [EraseUser]. Its numbers are those of all users together.
type EraseReceipt struct {
	Found       bool `json:"found"`        // whether anything was deleted
	Sessions    int  `json:"sessions"`     // records deleted, with phone numbers and index entries
	SessionKeys int  `json:"session_keys"` // of WeChat's, deleted
	// AttemptsKept says that failed attempts to decrypt are still counted, under a keyed hash
	// of the user, until their day or lock is over.
	AttemptsKept bool `json:"attempts_kept"`
	// TokensRefusedUntil is until when the revocation of the user's access tokens is kept,
	// under a keyed hash of the user.
	TokensRefusedUntil time.Time    `json:"tokens_refused_until"`
	Users              []UserErased `json:"users"`       // by app; one, or those of a person
	NotCovered         []string     `json:"not_covered"` // data that an operator must delete elsewhere

	failed error // the first; the audit log has its code
}

// UserErased is what was deleted of one user.
type UserErased struct {
	App         auth.AppID  `json:"app"`
	OpenID      auth.OpenID `json:"openid"`
	Sessions    int         `json:"sessions"`
	SessionKeys int         `json:"session_keys"`
	Problem     string      `json:"problem,omitzero" jsonschema:"why the user was not erased, or not completely: an error code; repeat the call with this openid"`
}

// EraseUser is the call that erases a user, or every user of a person.
var EraseUser = post("user/erase", "delete what is stored of a user, or of every user of a person, and refuse the tokens; app, and openid or unionid", audited, eraseUsers)

// notErased is what no gateway can delete.
var notErased = []string{
	"events of events_to that wait for their receiver: encrypted, until they are delivered, for seven days at most",
	"Redis: its AOF and RDB files, replicas that are disconnected, and backups",
	"backups and snapshots of the file of store bolt, and blocks that its file system or disk has replaced",
	"log files: access logs and the audit log name the user by user_id",
	"access tokens and identity headers that upstreams and their logs have copied",
	"the upstreams' own data, and what WeChat knows of the user",
}

// notFound are users that the unionid of a person does not find.
var notFound = []string{
	"users of the person without a live session, of whom no unionid is stored: erase them by their openid",
	"users of the person in apps that are not configured, on other platforms and at other API hosts",
}

// eraseUsers erases one user after the other. If one of several fails, the others are still
// erased, and the receipt names the failed user, because the unionid may not find it again.
func eraseUsers(ctx context.Context, rt *gateway.Runtime, in UsersRequest) (EraseReceipt, error) {
	users, err := in.users(ctx, rt)
	if err != nil {
		return EraseReceipt{}, err
	}
	receipt := EraseReceipt{NotCovered: notErased}
	if in.UnionID != "" {
		receipt.NotCovered = slices.Concat(notErased, notFound)
	}
	for _, user := range users {
		erased, err := rt.Service.Erase(ctx, user)
		rt.Record(audit.Event{Action: audit.Revocation, By: audit.Operator, All: true, Ended: erased.Sessions}, user, err)
		if err != nil && in.UnionID == "" {
			return EraseReceipt{}, err
		}
		receipt.add(user, erased, err)
	}
	return receipt, nil
}

func (r *EraseReceipt) add(user auth.User, erased auth.Erased, err error) {
	one := UserErased{App: user.App, OpenID: user.OpenID, Sessions: erased.Sessions, SessionKeys: erased.SessionKeys}
	if err != nil {
		one.Problem = problem.Of(err).Code
		if r.failed == nil {
			r.failed = err
		}
	}
	r.Users = append(r.Users, one)
	r.Found = r.Found || erased.Sessions > 0 || erased.SessionKeys > 0
	r.Sessions += erased.Sessions
	r.SessionKeys += erased.SessionKeys
	r.AttemptsKept = r.AttemptsKept || erased.Attempts
	if erased.RevokedUntil.After(r.TokensRefusedUntil) {
		r.TokensRefusedUntil = erased.RevokedUntil
	}
}

// Incomplete implements [Partial].
func (r EraseReceipt) Incomplete() error { return r.failed }
