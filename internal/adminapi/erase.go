package adminapi

import (
	"context"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
)

// EraseReceipt is the response of [EraseUser].
type EraseReceipt struct {
	Found       bool `json:"found"`        // whether anything was deleted
	Sessions    int  `json:"sessions"`     // records deleted, with phone numbers and index entries
	SessionKeys int  `json:"session_keys"` // of WeChat's, deleted
	// AttemptsKept says that failed attempts to decrypt are still counted, under a keyed hash
	// of the user, until their day or lock is over.
	AttemptsKept bool `json:"attempts_kept"`
	// TokensRefusedUntil is until when the revocation of the user's access tokens is kept,
	// under a keyed hash of the user.
	TokensRefusedUntil time.Time `json:"tokens_refused_until"`
	NotCovered         []string  `json:"not_covered"` // what an operator has to see to, one thing each
}

// EraseUser is the call that erases a user.
var EraseUser = post("user/erase", "delete what is stored of a user and refuse the user's tokens; app, openid", audited, eraseUser)

// notErased is what no gateway can delete.
var notErased = []string{
	"events of events_to that wait for their receiver: encrypted, until they are delivered, for seven days at most",
	"Redis: its AOF and RDB files, replicas that are disconnected, and backups",
	"backups and snapshots of the file of store bolt, and blocks that its file system or disk has replaced",
	"log files: access logs and the audit log name the user by user_id",
	"access tokens and identity headers that upstreams and their logs have copied",
	"the upstreams' own data, and what WeChat knows of the user",
}

func eraseUser(ctx context.Context, rt *gateway.Runtime, in UserRequest) (EraseReceipt, error) {
	user, err := in.user(rt)
	if err != nil {
		return EraseReceipt{}, err
	}
	erased, err := rt.Service.Erase(ctx, user)
	if err != nil {
		return EraseReceipt{}, err
	}
	return receiptOf(erased), nil
}

func receiptOf(erased auth.Erased) EraseReceipt {
	return EraseReceipt{
		Found: erased.Sessions > 0 || erased.SessionKeys > 0, Sessions: erased.Sessions, SessionKeys: erased.SessionKeys,
		AttemptsKept: erased.Attempts, TokensRefusedUntil: erased.RevokedUntil, NotCovered: notErased,
	}
}
