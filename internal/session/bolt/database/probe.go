package database

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

const (
	// probeEntries and probeBytes make a probe write as many pages as a login among
	// millions of sessions: at most five in each of four buckets. A smaller probe could
	// succeed in a full file where no login could.
	probeEntries = 64
	probeBytes   = 1 << 10 // for an entry, so that two or three fill a page
)

// Probe writes as much as a login, to check whether a login can be written. The keys begin
// with prefix.
func Probe(bucket *bbolt.Bucket, prefix []byte) error {
	for i := range byte(probeEntries) {
		if err := bucket.Put(slices.Concat(prefix, []byte{i}), make([]byte, probeBytes)); err != nil {
			return fmt.Errorf("writing a probe: %w", err)
		}
	}
	return nil
}
