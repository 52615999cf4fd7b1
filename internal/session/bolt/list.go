package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

const (
	// listStep is how many sessions one transaction of a list reads: a few milliseconds.
	// While a transaction is open, the file cannot use the pages that logins free.
	listStep = 1000
	// listSteps bounds the work for one page: most sessions may be of other apps.
	listSteps = 20
)

// List implements [auth.Store]. All sessions are listed in the order of their start.
func (s *Store) List(ctx context.Context, q auth.Query) (auth.Page, error) {
	after, err := s.vault.OpenCursor(q)
	if err != nil {
		return auth.Page{}, err
	}
	list := lister{query: q, after: after}
	if q.User != (auth.User{}) {
		err = s.read(ctx, list.userPage)
	} else {
		for step := 0; err == nil && list.more(step); step++ {
			err = s.read(ctx, list.read)
		}
	}
	if err != nil {
		return auth.Page{}, err
	}
	if !list.done {
		list.page.Next, err = s.vault.SealCursor(q, list.after)
	}
	return list.page, err
}

// lister collects a page.
type lister struct {
	query auth.Query
	after []byte // the last session read; nil before the first
	until []byte // the last session to read; nil for the last of the file
	done  bool   // there is no session after it
	page  auth.Page
}

func (l *lister) full() bool { return len(l.page.Sessions) >= l.query.Limit }

// more reports whether the page needs another step; step counts them.
func (l *lister) more(step int) bool { return !l.done && !l.full() && step < listSteps }

// add adds a session to the page unless it has ended or is of another app. An unreadable
// session counts as ended.
func (l *lister) add(c *change, id []byte, e layout.Entry) {
	if !e.End.After(c.now) {
		return
	}
	s, err := c.openSession(id, e)
	if err == nil && (l.query.App == "" || l.query.App == s.User.App) {
		l.page.Sessions = append(l.page.Sessions, s)
	}
}

// read reads one step of all sessions.
func (l *lister) read(c *change) error {
	cursor := c.tx.Bucket(layout.Sessions).Cursor()
	id, value := cursor.First()
	if l.after != nil {
		if id, value = cursor.Seek(l.after); bytes.Equal(id, l.after) {
			id, value = cursor.Next()
		}
	}
	past := func() bool { return id == nil || l.until != nil && bytes.Compare(id, l.until) > 0 }
	for range listStep {
		if past() || l.full() {
			break
		}
		e, ok := layout.DecodeEntry(value)
		if !ok {
			return fmt.Errorf("%w: an entry of %d bytes in %s", session.ErrCorrupt, len(value), layout.Sessions)
		}
		l.add(c, id, e)
		l.after = bytes.Clone(id)
		id, value = cursor.Next()
	}
	l.done = past()
	return nil
}

// userPage reads a page of a user's sessions, of which there are at most
// [auth.MaxUserSessions], plus expired ones that were not swept yet.
func (l *lister) userPage(c *change) error {
	for _, at := range slices.Backward(c.sessionsOf(c.vault.HashUser(l.query.User))) {
		if l.after != nil && bytes.Compare(at.id, l.after) >= 0 {
			continue
		}
		if l.full() {
			return nil
		}
		if e, ok := c.entry(at.id); ok {
			l.add(c, at.id, e)
		}
		l.after = at.id
	}
	l.done = true
	return nil
}
