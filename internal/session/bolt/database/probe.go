package database

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

const (
	// probeEntries and probeBytes make a probe write as many pages as a login
	// among millions of sessions, at most five in each of four buckets. Less than
	// a login found room in a full file where no login did.
	probeEntries = 64
	probeBytes   = 1 << 10 // for an entry, so that two or three fill a page
)

// Probe writes what takes as much room as a login, to see whether that works. The keys begin
// with prefix.
func Probe(bucket *bbolt.Bucket, prefix []byte) error {
	for i := range byte(probeEntries) {
		if err := bucket.Put(slices.Concat(prefix, []byte{i}), make([]byte, probeBytes)); err != nil {
			return fmt.Errorf("writing a probe: %w", err)
		}
	}
	return nil
}
