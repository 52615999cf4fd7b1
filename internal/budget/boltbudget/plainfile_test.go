package boltbudget_test

import (
	"context"

	"go.etcd.io/bbolt"
)

// plainFile is a file without sessions.
type plainFile struct{ db *bbolt.DB }

func (f plainFile) View(_ context.Context, fn func(*bbolt.Tx) error) error   { return f.db.View(fn) }
func (f plainFile) Update(_ context.Context, fn func(*bbolt.Tx) error) error { return f.db.Update(fn) }
