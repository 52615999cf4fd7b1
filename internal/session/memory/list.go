package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// List implements [auth.Store]. All sessions are listed in the order of their start.
func (m *Store) List(ctx context.Context, q auth.Query) (auth.Page, error) {
	after, err := m.vault.OpenCursor(q)
	if err != nil {
		return auth.Page{}, err
	}
	var found []*storedSession
	err = m.step(ctx, func(now time.Time) ([]auth.Revocation, error) {
		found = m.find(q, now)
		return nil, nil
	})
	if err != nil {
		return auth.Page{}, err
	}
	order := func(a, b *storedSession) int { return bytes.Compare(idBytes(a.ID), idBytes(b.ID)) }
	if q.User != (auth.User{}) { // newest first
		order = func(a, b *storedSession) int { return bytes.Compare(idBytes(b.ID), idBytes(a.ID)) }
	}
	slices.SortFunc(found, order)
	if after != nil {
		last := &storedSession{&auth.Session{ID: auth.SessionIDOf([16]byte(after))}}
		found = slices.DeleteFunc(found, func(s *storedSession) bool { return order(s, last) <= 0 })
	}
	var page auth.Page
	for _, s := range found[:min(len(found), q.Limit)] {
		page.Sessions = append(page.Sessions, session.CloneSession(s.Session))
	}
	if n := len(page.Sessions); n < len(found) {
		page.Next, err = m.vault.SealCursor(q, idBytes(page.Sessions[n-1].ID))
	}
	return page, err
}

// find returns the sessions of a query that have not ended, in any order. If the query is not
// for one user, it visits all sessions: in memory there are at most maxSessions.
func (m *Store) find(q auth.Query, now time.Time) (found []*storedSession) {
	sessions := m.sessions
	if q.User != (auth.User{}) {
		if sessions = nil; m.users[q.User] != nil {
			sessions = m.users[q.User].sessions
		}
	}
	for _, s := range sessions {
		if !s.Ended(now) && (q.App == "" || q.App == s.User.App) {
			found = append(found, s)
		}
	}
	return found
}

func idBytes(id auth.SessionID) []byte {
	b, _ := id.Bytes()
	return b[:]
}
