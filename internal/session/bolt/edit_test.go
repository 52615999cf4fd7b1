package bolt_test

import (
	"bytes"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// buckets is the file of a closed store that a test edits directly.
type buckets struct {
	testing.TB
	tx *bbolt.Tx
}

func edit(t testing.TB, path string, do func(buckets)) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	sessiontest.Must(t, err)
	sessiontest.Must(t, db.Update(func(tx *bbolt.Tx) error {
		do(buckets{t, tx})
		return nil
	}))
	sessiontest.Must(t, db.Close())
}

func (b buckets) put(bucket, key string, value []byte) {
	b.Helper()
	sessiontest.Must(b, b.tx.Bucket([]byte(bucket)).Put([]byte(key), value))
}

// entries copies a bucket, in order.
func (b buckets) entries(bucket string) (keys, values [][]byte) {
	b.Helper()
	sessiontest.Must(b, b.tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
		keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
		return nil
	}))
	return keys, values
}

// swap exchanges the first two values of a bucket.
func (b buckets) swap(bucket string) {
	b.Helper()
	keys, values := b.entries(bucket)
	if len(keys) < 2 {
		b.Fatalf("%d entries in %s", len(keys), bucket)
	}
	b.put(bucket, string(keys[0]), values[1])
	b.put(bucket, string(keys[1]), values[0])
}

// drop deletes the first entry of a bucket.
func (b buckets) drop(bucket string) {
	b.Helper()
	keys, _ := b.entries(bucket)
	sessiontest.Must(b, b.tx.Bucket([]byte(bucket)).Delete(keys[0]))
}

// dropAll deletes the entries of a bucket that has some.
func (b buckets) dropAll(bucket string) {
	b.Helper()
	for keys, _ := b.entries(bucket); len(keys) > 0; keys = keys[1:] {
		b.drop(bucket)
	}
}
