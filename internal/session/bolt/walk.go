package bolt

import (
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

// contents are the counts of one walk over a file.
type contents struct {
	Schema                             int
	Sessions, Users, Keys, Revocations int
	attempts, ends                     int
}

// walk counts every entry. It is fast: a gigabyte in the page cache takes about a second.
func walk(tx *bbolt.Tx) (contents, error) {
	counts := contents{Schema: layout.Version}
	if err := layout.Check(tx); err != nil {
		return counts, err
	}
	counts.Revocations = count(tx, layout.Revocations)
	counts.attempts = count(tx, layout.Attempts)
	counts.ends = count(tx, layout.Ends)
	users := make(map[recent.User]bool) // whether the newest session has keys
	cursor := tx.Bucket(layout.Sessions).Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		e, ok := layout.DecodeEntry(v)
		if !ok {
			return counts, fmt.Errorf("%w: an entry of %d bytes in %s: %s", session.ErrCorrupt, len(v), layout.Sessions, database.AdviseCorrupt)
		}
		counts.Sessions++
		users[recent.User(e.User)] = len(e.Keys) > 0
	}
	counts.Users = len(users)
	for _, keys := range users {
		if keys {
			counts.Keys++
		}
	}
	return counts, nil
}

// count counts the entries of a bucket; zero if the bucket does not exist, such as attempts in
// a file that never had any.
func count(tx *bbolt.Tx, name []byte) (n int) {
	bucket := tx.Bucket(name)
	if bucket == nil {
		return 0
	}
	cursor := bucket.Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		n++
	}
	return n
}
