// Package counts counts the sessions in a bbolt file, and the users who have a session.
//
// The file itself has no counters: they would be wrong once a version of wxgate that does not
// know them had written to it. The check of all pages after each start reads every key
// anyway, and counts; then each commit adds its changes.
package counts

import (
	"bytes"
	"sync"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

// Counter counts the content of one open file.
type Counter struct {
	opened session.Counts // what the file had when it was opened
	// While the pages are checked, by one goroutine:
	recent   map[recent.Session]recent.User // the sessions that the index of users may lack
	unlisted map[recent.User]bool           // the users of those that are stored
	last     recent.User                    // the last in the index of users

	// commit is what the current commit adds; negative if it ends more than it begins.
	commit session.Counts

	mu    sync.Mutex
	since session.Counts // what all commits added since the file was opened
}

// New returns a counter for a file with an index of recent sessions.
func New(index recent.View) *Counter {
	return &Counter{recent: index.Users(), unlisted: make(map[recent.User]bool)}
}

// See counts an entry of the file as it was opened. Entries come in the order of their keys,
// and buckets in the order of their names: sessions before users.
func (c *Counter) See(bucket, key []byte) {
	switch {
	case bytes.Equal(bucket, layout.Sessions):
		c.opened.Sessions++
		if len(key) != layout.SessionBytes {
			return
		}
		if user, ok := c.recent[recent.Session(key)]; ok {
			c.unlisted[user] = true
		}
	case bytes.Equal(bucket, layout.Users) && len(key) >= layout.UserBytes:
		if user := recent.User(key); user != c.last {
			c.opened.Users++
			c.last = user
			delete(c.unlisted, user)
		}
	}
}

// Seen is called after See was called for every entry.
func (c *Counter) Seen() {
	c.opened.Users += len(c.unlisted)
	c.recent, c.unlisted = nil, nil
}

// Begin is called before each commit.
func (c *Counter) Begin() { c.commit = session.Counts{} }

// Add adds to the current commit.
func (c *Counter) Add(d session.Counts) { c.commit = c.commit.Plus(d) }

// Committed is called after each commit that succeeded.
func (c *Counter) Committed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = c.since.Plus(c.commit)
}

// Total returns the current counts. Seen must have returned.
func (c *Counter) Total() session.Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened.Plus(c.since)
}
