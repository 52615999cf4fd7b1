package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
)

// maxProblems bounds a report, in lines: one broken page yields thousands, and
// the operator's next step is the same after the first.
const maxProblems = 100

// Report is what [Check] found.
type Report struct {
	Schema                             int
	Sessions, Users, Keys, Revocations int
	Bytes                              int64 // of the file
	// Problems are empty when the file is sound.
	Problems []string
}

// Check reads the whole file at path, without changing it and without a root
// secret: its pages, and that every record is where its indexes say. The error
// is why it could not be read at all: [session.ErrLocked] while a gateway runs on it,
// [session.ErrCorrupt], [session.ErrNewerSchema].
func Check(path string) (*Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, session.Unavailable(fmt.Errorf("finding the session store: %w", err))
	}
	db, err := database.Open(path, true, database.EveryBucket)
	if err != nil {
		return nil, err
	}
	report := &Report{Bytes: info.Size()}
	err = database.Guard(session.ErrCorrupt, func() error { return db.View(report.read) })
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return report, nil
}

// read fills the report. The pages were followed when the file was opened, so
// that bbolt can check the rest (order of keys, lost pages) without falling.
func (r *Report) read(tx *bbolt.Tx) (err error) {
	if r.Schema, err = schemaOf(tx); err != nil {
		return err
	}
	for problem := range tx.Check() { // to its end: it holds a goroutine
		r.problem("%v", problem)
	}
	if r.Schema < schemaVersion {
		r.Sessions, r.Revocations = count(tx, bucketSessions), count(tx, bucketRevocations)
		return nil // its records are checked by the start that rewrites it
	}
	counts, err := walk(tx)
	if err != nil {
		return err
	}
	r.Sessions, r.Users = counts.Sessions, counts.Users
	r.Keys, r.Revocations = counts.Keys, counts.Revocations
	r.checkSessions(tx)
	r.checkUsers(tx)
	r.checkEnds(tx)
	if counts.ends != counts.Sessions+counts.Revocations+counts.attempts {
		r.problem("%d entries in %s for %d sessions, %d revocations and %d users with attempts",
			counts.ends, bucketEnds, counts.Sessions, counts.Revocations, counts.attempts)
	}
	return nil
}

// checkSessions looks that sessions are in the indexes.
func (r *Report) checkSessions(tx *bbolt.Tx) {
	users, ends := tx.Bucket(bucketUsers), tx.Bucket(bucketEnds)
	recentA, recentB := tx.Bucket(bucketRecentA), tx.Bucket(bucketRecentB)
	has := func(bucket *bbolt.Bucket, key []byte) bool {
		k, _ := bucket.Cursor().Seek(key) // Get does not tell an empty value from none
		return bytes.Equal(k, key)
	}
	cursor := tx.Bucket(bucketSessions).Cursor()
	for id, value := cursor.First(); id != nil; id, value = cursor.Next() {
		e, _ := decodeEntry(value) // walk has decoded it
		recent := bytes.Equal(recentA.Get(id), e.user) || bytes.Equal(recentB.Get(id), e.user)
		if !recent && !has(users, indexed{user: e.user, id: id}.userKey()) {
			r.problem("session %s is not listed for its user", sessionID(id))
		}
		if e.listed.After(e.end) || !has(ends, endKey(e.listed, id)) {
			r.problem("session %s is missing in the index of ends", sessionID(id))
		}
	}
}

// checkUsers looks that users have the sessions that they are said to have.
func (r *Report) checkUsers(tx *bbolt.Tx) {
	sessions := tx.Bucket(bucketSessions)
	cursor := tx.Bucket(bucketUsers).Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) != indexUserBytes+sessionKeyBytes {
			r.problem("a key of %d bytes in %s", len(k), bucketUsers)
			continue
		}
		id := k[indexUserBytes:]
		if e, ok := decodeEntry(sessions.Get(id)); !ok || !bytes.HasPrefix(k, e.user) {
			r.problem("session %s is listed for a user, but missing", sessionID(id))
		}
	}
}

// checkEnds looks that what is to be swept is there.
func (r *Report) checkEnds(tx *bbolt.Tx) {
	revocations, sessions := tx.Bucket(bucketRevocations), tx.Bucket(bucketSessions)
	cursor := tx.Bucket(bucketEnds).Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) <= timeKeyBytes {
			r.problem("a key of %d bytes in %s", len(k), bucketEnds)
			continue
		}
		tagged := k[timeKeyBytes:]
		found := revocations.Get(tagged) != nil
		switch tagged[0] {
		case tagEnd:
			found = sessions.Get(tagged[1:]) != nil
		case tagAttempts:
			attempts := tx.Bucket(bucketAttempts)
			found = attempts != nil && bytes.HasPrefix(attempts.Get(tagged[1:]), k[:timeKeyBytes])
		}
		if !found {
			r.problem("the index of ends lists a missing entry at %v", keyTime(k).UTC())
		}
	}
}

func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}
