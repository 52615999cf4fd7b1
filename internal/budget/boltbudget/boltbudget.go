// Package boltbudget keeps the counts of budgets in the bbolt file of the session store, which
// a single process has open.
package boltbudget

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/budget"
)

// bucket has name -> count in JSON. It is created when first needed.
var bucket = []byte("budgets")

// File is the part of the session store's file that counts need.
type File interface {
	View(ctx context.Context, fn func(*bbolt.Tx) error) error
	// Update calls fn to change the file in a transaction that is on the disk when it returns nil.
	Update(ctx context.Context, fn func(*bbolt.Tx) error) error
}

// New returns the counts of a file, which must outlive them.
func New(file File) *budget.Local { return budget.NewLocal(journal{file}, time.Now) }

// journal is the [budget.Journal] of a file.
type journal struct{ file File }

// Read implements [budget.Journal].
func (j journal) Read(ctx context.Context, name string) (c budget.Count, err error) {
	err = j.file.View(ctx, func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucket); b != nil {
			c, err = decode(name, b.Get([]byte(name)))
		}
		return err
	})
	return c, err
}

// Update implements [budget.Journal].
func (j journal) Update(ctx context.Context, name string, change func(*budget.Count)) error {
	return j.file.Update(ctx, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return fmt.Errorf("creating bucket %s: %w", bucket, err)
		}
		c, err := decode(name, b.Get([]byte(name)))
		if err != nil {
			return err
		}
		change(&c)
		value, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("encoding the count of %s: %w", name, err)
		}
		if err := b.Put([]byte(name), value); err != nil {
			return fmt.Errorf("writing to %s: %w", bucket, err)
		}
		return nil
	})
}

// decode returns a count; the zero value if there is none.
func decode(name string, value []byte) (c budget.Count, err error) {
	if value == nil {
		return c, nil
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return c, fmt.Errorf("decoding the count of %s: %w", name, err)
	}
	return c, nil
}
