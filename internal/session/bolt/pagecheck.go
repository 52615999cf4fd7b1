package bolt

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/counts"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/pages"
)

// pageCheck reads every page of an open file once, in the background. Nothing is written to
// the file until the check has finished.
type pageCheck struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

// startPageCheck starts the check, which also passes every key to the counter.
func startPageCheck(db *database.DB, counter *counts.Counter) *pageCheck {
	ctx, cancel := context.WithCancel(context.Background())
	c := &pageCheck{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = database.Guard(session.ErrCorrupt, func() error {
			return db.View(func(tx *bbolt.Tx) error {
				return pages.Check(ctx, tx, db.File, database.EveryBucket, counter.See)
			})
		})
		counter.Seen()
	}()
	return c
}

// wait returns the result once there is one.
func (c *pageCheck) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return session.Unavailable(ctx.Err())
	}
}

// finished reports whether there is a result.
func (c *pageCheck) finished() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop ends the check.
func (c *pageCheck) stop() {
	c.cancel()
	<-c.done
}
