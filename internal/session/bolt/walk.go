package bolt

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
)

// contents is what one walk over a file counted.
type contents struct {
	Schema                             int
	Sessions, Users, Keys, Revocations int
	attempts, ends                     int
}

// walk counts every entry. It is quick: a gigabyte in the page cache takes about
// a second.
func walk(tx *bbolt.Tx) (contents, error) {
	counts := contents{Schema: schemaVersion}
	if err := checkSchema(tx); err != nil {
		return counts, err
	}
	for _, b := range []struct {
		name  []byte
		count *int
	}{
		{bucketSessions, &counts.Sessions},
		{bucketKeys, &counts.Keys},
		{bucketRevocations, &counts.Revocations},
		{bucketAttempts, &counts.attempts},
		{bucketEnds, &counts.ends},
	} {
		bucket := tx.Bucket(b.name)
		if bucket == nil {
			continue // attempts, in a file that had none yet
		}
		cursor := bucket.Cursor()
		for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
			*b.count++
		}
	}
	var last []byte
	cursor := tx.Bucket(bucketUsers).Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) != userKeyBytes+sessionKeyBytes {
			return counts, fmt.Errorf("%w: a key of %d bytes in %s: %s", session.ErrCorrupt, len(k), bucketUsers, adviseCorrupt)
		}
		if user := k[:userKeyBytes]; !bytes.Equal(user, last) {
			last = user
			counts.Users++
		}
	}
	return counts, nil
}
