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
	// A commit rewrites the pages that it changes, so that few large commits write a
	// fraction of what many small ones do. But bbolt splits pages when it commits: a large
	// commit to a small file would insert everything into a few huge pages. So the file
	// doubles, from the first commit to the largest.
	firstCommit   = 5_000
	largestCommit = 100_000
	// sessionKeyBytes is the length of WeChat's session_key.
	sessionKeyBytes = 16
)

// Fill fills the session store of the gateway at home, which must not run: sessions of
// different users, each with a session key, and revocations of other sessions. report is
// called with the number of those that were written.
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
		size := min(max(written, firstCommit), largestCommit, total-written)
		entries := make([]session.Entry, 0, 2*size)
		for range size {
			if written < sessions {
				entries = k.appendSession(entries, now)
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
func (k *Keys) appendSession(entries []session.Entry, now time.Time) []session.Entry {
	s := k.session(now)
	keys := []auth.SessionKey{{Key: random(base64.StdEncoding, sessionKeyBytes), ObtainedAt: now}}
	return append(entries, session.Entry{Session: s}, session.Entry{User: s.User, Keys: keys})
}
