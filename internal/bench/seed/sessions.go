package seed

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
)

const (
	// commitEntries is how many sessions or revocations one commit has: enough to need few
	// commits, and less than the store gathers until it merges its index of users.
	commitEntries = 20_000
	// loginPeriod is the period of the logins of the sessions, which ends now.
	loginPeriod = 24 * time.Hour
	// sessionKeyBytes is the length of WeChat's session_key.
	sessionKeyBytes = 16
)

// Fill fills the session store of the gateway at home, which must not run: sessions of
// different users, each with a session key, who logged in one after the other, and revocations
// of other sessions. report is called with the number of entries written so far.
func (k *Keys) Fill(ctx context.Context, home string, sessions, revocations int, report func(written int)) (err error) {
	file, err := bolt.Open(StorePath(home), session.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	store, err := file.Store(k.box, time.Now)
	if err != nil {
		return err
	}
	now := time.Now()
	for written, total := 0, sessions+revocations; written < total; {
		entries := make([]session.Entry, 0, 2*commitEntries)
		for range min(commitEntries, total-written) {
			if written < sessions {
				began := now.Add(-loginPeriod / time.Duration(sessions) * time.Duration(sessions-written))
				entries = k.appendSession(entries, began)
			} else {
				entries = append(entries, session.Entry{Revocation: &auth.Revocation{Session: k.session(now).ID, Until: now.Add(access)}})
			}
			written++
		}
		if err := store.ImportAll(ctx, entries); err != nil {
			return fmt.Errorf("filling the session store: %w", err)
		}
		report(written)
	}
	return nil
}

// appendSession appends the entries that a login writes.
func (k *Keys) appendSession(entries []session.Entry, began time.Time) []session.Entry {
	s := k.session(began)
	keys := []auth.SessionKey{{Key: random(base64.StdEncoding, sessionKeyBytes), ObtainedAt: began}}
	return append(entries, session.Entry{Session: s}, session.Entry{User: s.User, Keys: keys})
}
