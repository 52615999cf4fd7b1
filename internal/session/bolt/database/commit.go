package database

import (
	"errors"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// maxGroup is how many writes one commit contains at most: with more, the first write would
// wait longer than its own fsync.
const maxGroup = 256

// Committer commits concurrent writes together, so that a hundred logins at once cost a few
// fsyncs, and a single write waits only for its own.
//
// bbolt's Batch does the same with a timer: every write waits for the timer, and when commits
// take longer than the timer, the batches queue up behind each other. Here a caller that
// finds no commit in progress leads one, and includes all writes that gathered during the
// previous commit.
type Committer struct {
	DB *bbolt.DB
	// Begin is called before the writes of each transaction, and Finish after them if
	// there is something to commit. Committed is called after each commit.
	Begin     func(*bbolt.Tx)
	Finish    func(*bbolt.Tx) error
	Committed func()
	// Failed is set when a commit failed, until a caller resets it: the disk is full, or
	// worse. A logout that still fits does not reset it.
	Failed atomic.Bool

	// writing is locked by the commit in progress: a write whose group failed is written
	// again, concurrently with those that follow.
	writing sync.Mutex

	mu      sync.Mutex
	waiting []*write
	busy    bool
}

// write is one caller's part of a commit. fn may run more than once, each time on the state
// without its earlier run; wrote reports whether there is anything to commit. An error of fn
// undoes the write and means that the store failed.
type write struct {
	fn      func(tx *bbolt.Tx) (wrote bool, err error)
	outcome chan outcome // buffered: senders do not wait
}

// outcome reports to a waiting caller that its write was committed or failed, or what the
// caller has to do itself.
type outcome struct {
	next next
	err  error
}

type next int

const (
	finished next = iota
	lead          // lead the next commit, which contains your write
	alone         // another write of the group failed: write again, alone
)

// errGroup undoes a group in which one write failed.
var errGroup = errors.New("a write of the group failed")

// Do runs fn and returns once its changes are on the disk. It does not return earlier when the
// caller's context ends: that caller could not learn whether the write happened.
func (c *Committer) Do(fn func(tx *bbolt.Tx) (wrote bool, err error)) error {
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

// lead commits the group at the head of the queue, of which own is the first, and passes the
// lead to the first write after the group.
func (c *Committer) lead(own *write) error {
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

// ErrUnchanged rolls back a transaction that wrote nothing, so that a forged token costs no
// fsync.
var ErrUnchanged = errors.New("nothing to commit")

// commit runs a group in one transaction.
func (c *Committer) commit(group []*write) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	reached := false // the whole group ran, so a failure is that of the commit
	err := Guard(auth.ErrStoreUnavailable, func() error {
		return c.DB.Update(func(tx *bbolt.Tx) error {
			c.Begin(tx)
			wrote, err := runGroup(tx, group)
			reached = err == nil
			switch {
			case err != nil:
				return err
			case !wrote:
				return ErrUnchanged
			}
			return c.Finish(tx)
		})
	})
	if errors.Is(err, ErrUnchanged) {
		return nil
	}
	if err != nil && !reached && len(group) > 1 {
		return errGroup
	}
	if err != nil {
		c.Failed.Store(true)
		return session.Unavailable(err)
	}
	c.Committed()
	return nil
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
