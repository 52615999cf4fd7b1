package bolt

import (
	"errors"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

// maxGroup is how many writes one commit carries at most: with more, the first
// of them would wait longer than its own fsync.
const maxGroup = 256

// committer commits concurrent writes together, so that a hundred logins at once
// cost a few fsyncs and a single one waits for its own alone.
//
// bbolt's Batch does the same with a timer: every write waits for it, and when
// commits take longer than the timer the batches queue up one behind the other.
// Here a caller that finds no commit under way leads one, and includes whatever
// gathered during the last.
type committer struct {
	db     *bbolt.DB
	recent *recent.Index
	// failed is whether a commit failed since [File.Ready] last saw one succeed:
	// the disk is full, or worse. A logout that still fits says nothing of that.
	failed atomic.Bool

	// writing is held by the commit under way: one whose group failed is written
	// again beside those that follow.
	writing sync.Mutex

	mu      sync.Mutex
	waiting []*write
	busy    bool
}

// write is one caller's part of a commit. fn may be run more than once, each time
// on the state without its earlier run; wrote says whether there is anything to
// commit. An error of fn undoes it and means that the store failed.
type write struct {
	fn      func(tx *bbolt.Tx) (wrote bool, err error)
	outcome chan outcome // buffered: no sender waits
}

// outcome tells a waiting caller that its write was committed or failed, or what
// it has to do itself.
type outcome struct {
	next next
	err  error
}

type next int

const (
	finished next = iota
	lead          // lead the next commit, which holds your write
	alone         // another write of the group failed: write again, alone
)

// errGroup undoes a group in which one write failed.
var errGroup = errors.New("a write of the group failed")

// do runs fn and returns once what it wrote is on the disk. It does not end
// before: there is no way to tell a caller that left whether it happened.
func (c *committer) do(fn func(tx *bbolt.Tx) (wrote bool, err error)) error {
	w := &write{fn: fn, outcome: make(chan outcome, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, w)
	leads := !c.busy
	c.busy = true
	c.mu.Unlock()
	if leads {
		return c.lead(w)
	}
	switch o := <-w.outcome; o.next {
	case lead:
		return c.lead(w)
	case alone:
		return c.commit([]*write{w})
	default:
		return o.err
	}
}

// lead commits the group at the head of the line, which own is the first of, and
// passes the lead to the first write after it.
func (c *committer) lead(own *write) error {
	c.mu.Lock()
	n := min(len(c.waiting), maxGroup)
	group := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	c.mu.Unlock()

	err := c.commit(group)

	c.mu.Lock()
	if len(c.waiting) > 0 {
		c.waiting[0].outcome <- outcome{next: lead}
	} else {
		c.waiting, c.busy = nil, false
	}
	c.mu.Unlock()
	for _, w := range group {
		switch {
		case w == own:
		case errors.Is(err, errGroup):
			w.outcome <- outcome{next: alone}
		default:
			w.outcome <- outcome{err: err}
		}
	}
	if errors.Is(err, errGroup) {
		return c.commit([]*write{own})
	}
	return err
}

// errUnchanged rolls back a transaction that wrote nothing: no fsync for a forged
// token.
var errUnchanged = errors.New("nothing to commit")

// commit runs a group in one transaction.
func (c *committer) commit(group []*write) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	reached := false // all of the group ran, so that a failure is the commit's
	err := guarded(auth.ErrStoreUnavailable, func() error {
		c.recent.Begin()
		return c.db.Update(func(tx *bbolt.Tx) error {
			fillPages(tx)
			wrote, err := runGroup(tx, group)
			reached = err == nil
			switch {
			case err != nil:
				return err
			case !wrote:
				return errUnchanged
			}
			return c.recent.Merge(tx, func(user recent.User, id recent.Session) error { return listUser(tx, user[:], id[:]) })
		})
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil && !reached && len(group) > 1 {
		return errGroup
	}
	if err != nil {
		c.failed.Store(true)
		return session.Unavailable(err)
	}
	c.recent.Committed()
	return nil
}

// appendFill is how full bbolt leaves the pages of buckets whose keys grow with time,
// where it leaves half of each page free by default. In a page of 4 KiB that is nine
// sessions, and room for what their first refresh adds to them: a page that must be split
// later leaves two pages half empty.
const appendFill = 0.88

func fillPages(tx *bbolt.Tx) {
	for _, name := range [][]byte{bucketSessions, bucketEnds, bucketRecentA, bucketRecentB} {
		if bucket := tx.Bucket(name); bucket != nil {
			bucket.FillPercent = appendFill
		}
	}
}

// runGroup runs the writes of a group in one transaction.
func runGroup(tx *bbolt.Tx, group []*write) (wrote bool, err error) {
	for _, w := range group {
		changed, err := w.fn(tx)
		if err != nil {
			return false, err
		}
		wrote = wrote || changed
	}
	return wrote, nil
}
