package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
)

// maxProblems bounds a report, in lines: one broken page yields thousands of problems, and
// the operator's next step is the same after the first.
const maxProblems = 100

// Report is the result of [Check].
type Report struct {
	Schema                             int
	Sessions, Users, Keys, Revocations int
	Bytes                              int64 // of the file
	// Problems is empty if the file is sound.
	Problems []string
}

// Check reads the whole file at path, without changing it and without a root secret: its
// pages, and whether every record is listed in the indexes. It returns an error if the file
// cannot be read at all: [session.ErrLocked] while a gateway uses it,
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

// read fills the report. The pages were checked when the file was opened, so bbolt can check
// the rest (order of keys, lost pages) without a panic.
func (r *Report) read(tx *bbolt.Tx) (err error) {
	if r.Schema, err = layout.SchemaOf(tx); err != nil {
		return err
	}
	for problem := range tx.Check() { // to its end, or a goroutine leaks
		r.problem("%v", problem)
	}
	if r.Schema < layout.Version {
		r.Sessions, r.Revocations = count(tx, layout.Sessions), count(tx, layout.Revocations)
		return nil // the start that rewrites the file checks its records
	}
	counts, err := walk(tx)
	if err != nil {
		return err
	}
	r.Sessions, r.Users = counts.Sessions, counts.Users
	r.Keys, r.Revocations = counts.Keys, counts.Revocations
	r.checkSessions(tx)
	r.checkUsers(tx)
	r.checkPersons(tx)
	r.checkEnds(tx)
	if counts.ends != counts.Sessions+counts.Revocations+counts.attempts {
		r.problem("%d entries in %s for %d sessions, %d revocations and %d users with attempts",
			counts.ends, layout.Ends, counts.Sessions, counts.Revocations, counts.attempts)
	}
	return nil
}

// checkSessions checks that sessions are in the indexes.
func (r *Report) checkSessions(tx *bbolt.Tx) {
	users, ends := tx.Bucket(layout.Users), tx.Bucket(layout.Ends)
	recentA, recentB := tx.Bucket(layout.RecentA), tx.Bucket(layout.RecentB)
	persons := tx.Bucket(layout.Persons)
	cursor := tx.Bucket(layout.Sessions).Cursor()
	for id, value := cursor.First(); id != nil; id, value = cursor.Next() {
		e, _ := layout.DecodeEntry(value) // walk has decoded it
		listed := slices.Concat(e.User, e.Person)
		recent := bytes.Equal(recentA.Get(id), listed) || bytes.Equal(recentB.Get(id), listed)
		if !recent && !has(users, indexed{user: e.User, id: id}.userKey()) {
			r.problem("session %s is not listed for its user", layout.SessionID(id))
		}
		if !recent && !isNoPerson(e.Person) && !has(persons, slices.Concat(e.Person, e.User)) {
			r.problem("session %s is not listed for its person", layout.SessionID(id))
		}
		if e.Listed.After(e.End) || !has(ends, layout.EndKey(e.Listed, id)) {
			r.problem("session %s is missing in the index of ends", layout.SessionID(id))
		}
	}
}

// checkUsers checks that users have the sessions that the index lists.
func (r *Report) checkUsers(tx *bbolt.Tx) {
	sessions := tx.Bucket(layout.Sessions)
	cursor := tx.Bucket(layout.Users).Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) != layout.UserBytes+layout.SessionBytes {
			r.problem("a key of %d bytes in %s", len(k), layout.Users)
			continue
		}
		id := k[layout.UserBytes:]
		if e, ok := layout.DecodeEntry(sessions.Get(id)); !ok || !bytes.HasPrefix(k, e.User) {
			r.problem("session %s is listed for a user, but missing", layout.SessionID(id))
		}
	}
}

// checkPersons checks that persons have the users that the index lists.
func (r *Report) checkPersons(tx *bbolt.Tx) {
	of := make(map[string]bool)
	cursor := tx.Bucket(layout.Sessions).Cursor()
	for id, value := cursor.First(); id != nil; id, value = cursor.Next() {
		e, _ := layout.DecodeEntry(value) // walk has decoded it
		of[string(e.Person)+string(e.User)] = true
	}
	cursor = tx.Bucket(layout.Persons).Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if !of[string(k)] {
			r.problem("a user without a session is listed for a person, or a key of %s has %d bytes", layout.Persons, len(k))
		}
	}
}

// checkEnds checks that the entries that the index of ends lists exist.
func (r *Report) checkEnds(tx *bbolt.Tx) {
	revocations, sessions := tx.Bucket(layout.Revocations), tx.Bucket(layout.Sessions)
	cursor := tx.Bucket(layout.Ends).Cursor()
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) <= layout.TimeBytes {
			r.problem("a key of %d bytes in %s", len(k), layout.Ends)
			continue
		}
		tagged := k[layout.TimeBytes:]
		found := revocations.Get(tagged) != nil
		switch tagged[0] {
		case layout.TagEnd:
			found = sessions.Get(tagged[1:]) != nil
		case layout.TagAttempts:
			attempts := tx.Bucket(layout.Attempts)
			found = attempts != nil && bytes.HasPrefix(attempts.Get(tagged[1:]), k[:layout.TimeBytes])
		}
		if !found {
			r.problem("the index of ends lists a missing entry at %v", layout.KeyTime(k).UTC())
		}
	}
}

func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}
