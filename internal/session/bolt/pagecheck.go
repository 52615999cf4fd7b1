package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/pages"
)

// pageCheck reads every page of an open file once, in the background. Nothing is
// written to the file until it has finished.
type pageCheck struct {
	cancel context.CancelFunc
	done   chan struct{}
	// Once done is closed:
	err      error
	sessions int // in the file
}

func startPageCheck(db *database.DB) *pageCheck {
	ctx, cancel := context.WithCancel(context.Background())
	c := &pageCheck{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = database.Guard(session.ErrCorrupt, func() error {
			return db.View(func(tx *bbolt.Tx) error {
				return pages.Check(ctx, tx, db.File, database.EveryBucket, c.count)
			})
		})
	}()
	return c
}

// count keeps the number of sessions.
func (c *pageCheck) count(bucket []byte, entries int) {
	if bytes.Equal(bucket, layout.Sessions) {
		c.sessions = entries
	}
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
