// Package steps writes large amounts to a bbolt database in transactions of a bounded size.
package steps

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// Writer writes entries, and keeps a transaction open between two commits.
type Writer struct {
	DB    *bbolt.DB
	Each  int             // how many entries one transaction writes
	Begun func(*bbolt.Tx) // called with each transaction

	tx *bbolt.Tx // nil between two transactions
	n  int
}

// Put writes an entry, and creates its bucket if there is none.
func (w *Writer) Put(bucket, key, value []byte) (err error) {
	if w.tx == nil {
		if w.tx, err = w.DB.Begin(true); err != nil {
			return fmt.Errorf("beginning a step: %w", err)
		}
		w.Begun(w.tx)
	}
	b, err := w.tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return fmt.Errorf("creating bucket %s: %w", bucket, err)
	}
	if err := b.Put(key, value); err != nil {
		return fmt.Errorf("writing to %s: %w", bucket, err)
	}
	if w.n++; w.n%w.Each == 0 {
		return w.Commit()
	}
	return nil
}

// Copy copies a bucket of another database if it exists.
func (w *Writer) Copy(from *bbolt.Tx, bucket []byte) error {
	b := from.Bucket(bucket)
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, v []byte) error { return w.Put(bucket, k, v) })
}

// Commit commits the entries that are not committed yet.
func (w *Writer) Commit() error {
	if w.tx == nil {
		return nil
	}
	tx := w.tx
	w.tx = nil
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing a step: %w", err)
	}
	return nil
}

// Rollback discards uncommitted entries: an open transaction would block closing.
func (w *Writer) Rollback() {
	if w.tx != nil {
		_ = w.tx.Rollback() // an earlier error is already returned
	}
}
