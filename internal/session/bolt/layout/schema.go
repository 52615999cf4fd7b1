// Package layout is the layout of a file of sessions: its buckets, their keys, and the value
// of a session.
package layout

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
)

// Version is the version of the layout below. Increase it when an older wxgate would misread
// the file, and let package upgrade rewrite older files.
//
//	meta         schema, secret, index (sealed), unlisted, probe + number, wipe
//	sessions     session -> entry: its end, its user, the user's session keys (sealed)
//	             and the session (sealed); see [entry]
//	users        user + session -> nothing, for the sessions that are not in recent
//	persons      person + user -> nothing, for the sessions that are not in recent
//	recent-a/-b  session -> user + person, until they are merged into users and persons;
//	             see package recent
//	revocations  's' session | 'u' user | 'k' key ID | 'x' erased user -> sealed revocation
//	attempts     user or erased user -> when they end + sealed attempts to decrypt open data
//	ends         when + 'e' session -> nothing; when + key of a revocation -> nothing;
//	             when + 'a' user -> nothing
//	queue, queue-dead, queue-seen  of package boltqueue
//	budgets      of package boltbudget
//	web-records, web-ends  of package boltrecords
//
// A session is the 16 bytes of its ID, which sort by when it began; a user is a
// keyed hash of 32 bytes, of which sessions, users, persons and recent have the first 16; an
// erased user is a hash of 32 bytes under another key; a person is the first 8 bytes of a
// keyed hash of the unionid; a time is 8 bytes of Unix microseconds, big endian.
//
// Only users and persons have keys in random order, and a login writes neither: each random
// key costs a separate page in each commit. Put any further index of sessions into recent
// first, too.
const Version = 3

// The buckets.
var (
	Meta        = []byte("meta")
	Sessions    = []byte("sessions")
	Users       = []byte("users")
	Persons     = []byte("persons")
	RecentA     = []byte("recent-a")
	RecentB     = []byte("recent-b")
	Revocations = []byte("revocations")
	Attempts    = []byte("attempts") // created when first needed
	Ends        = []byte("ends")

	// Others are the buckets of packages boltqueue, boltbudget and boltrecords, which create
	// them when first needed.
	Others = [][]byte{[]byte("queue"), []byte("queue-dead"), []byte("queue-seen"), []byte("budgets"), []byte("web-records"), []byte("web-ends")}

	buckets = [][]byte{Meta, Sessions, Users, Persons, RecentA, RecentB, Revocations, Ends}
)

// The keys of the bucket Meta.
var (
	MetaSchema = []byte("schema")
	MetaSecret = []byte("secret") // identifies the root secret that index is sealed with
	MetaIndex  = []byte("index")
	// MetaUnlisted is the last session that began before the file had persons. Sessions up
	// to that one are in users only.
	MetaUnlisted = []byte("unlisted")
	MetaProbe    = []byte("probe") // written to check that writing works; see [database.Probe]
	MetaWipe     = []byte("wipe")  // present while free pages may have records of an erased user
)

// The sizes of keys and of their parts.
const (
	SessionBytes = 16
	UserBytes    = 16 // of the 32 of a user's hash: enough to be unique
	TimeBytes    = 8

	// PersonBytes is enough to find a person: the sessions themselves have the whole
	// unionid.
	PersonBytes = 8
)

// The kinds of keys in the buckets Ends and Revocations.
const (
	TagEnd      = 'e'
	TagSession  = 's'
	TagUser     = 'u'
	TagKey      = 'k'
	TagErased   = 'x'
	TagAttempts = 'a'
)

// Create creates the buckets of a new file and leaves an existing file as it is. It refuses a
// database of another program.
func Create(tx *bbolt.Tx) error {
	if tx.Bucket(Meta) != nil {
		if err := Check(tx); err != nil {
			return err
		}
		return database.ErrUnchanged
	}
	if k, _ := tx.Cursor().First(); k != nil {
		return fmt.Errorf("%w: not a session store: the database belongs to another program: %s", session.ErrCorrupt, database.AdviseCorrupt)
	}
	for _, name := range buckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return fmt.Errorf("creating bucket %s: %w", name, err)
		}
	}
	return tx.Bucket(Meta).Put(MetaSchema, []byte(strconv.Itoa(Version)))
}

// Check refuses a file that this wxgate would misread.
func Check(tx *bbolt.Tx) error {
	version, err := SchemaOf(tx)
	switch {
	case err != nil:
		return err
	case version < Version:
		return fmt.Errorf("%w: schema %d: start the gateway on the file once, which rewrites it", session.ErrCorrupt, version)
	case version > Version:
		return fmt.Errorf("%w: schema %d, this wxgate supports %d: %s", session.ErrNewerSchema, version, Version, database.AdviseNewer)
	}
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: bucket %s is missing: %s", session.ErrCorrupt, name, database.AdviseCorrupt)
		}
	}
	return nil
}

// SchemaOf reads the version of a file's layout.
func SchemaOf(tx *bbolt.Tx) (int, error) {
	meta := tx.Bucket(Meta)
	if meta == nil {
		return 0, fmt.Errorf("%w: bucket meta is missing: %s", session.ErrCorrupt, database.AdviseCorrupt)
	}
	version, err := strconv.Atoi(string(meta.Get(MetaSchema)))
	if err != nil || version < 1 {
		return 0, fmt.Errorf("%w: schema %q: %s", session.ErrCorrupt, meta.Get(MetaSchema), database.AdviseCorrupt)
	}
	return version, nil
}

// sessionIDs is the encoding of session IDs; see [auth.NewSessionID].
var sessionIDs = base64.RawURLEncoding

var errBadSessionID = errors.New("not a session ID")

// SessionKey returns the 16 bytes of a session ID.
func SessionKey(id auth.SessionID) ([]byte, error) {
	if _, err := auth.ParseSessionID(string(id)); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadSessionID, err)
	}
	return sessionIDs.AppendDecode(make([]byte, 0, SessionBytes), []byte(id))
}

// SessionID is the inverse of SessionKey.
func SessionID(key []byte) auth.SessionID { return auth.SessionID(sessionIDs.EncodeToString(key)) }

// TimeKey returns a key that sorts by time. A sweep treats all times before 1970 as expired.
func TimeKey(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(t.UnixMicro(), 0)))
}

// KeyTime is the inverse of TimeKey; the zero time for a key that is too short.
func KeyTime(key []byte) time.Time {
	if len(key) < TimeBytes {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(key))) //nolint:gosec // G115: the inverse of TimeKey
}

// NeededAtOnce skips the buckets that opening a file does not read.
func NeededAtOnce(name []byte) bool {
	return !slices.ContainsFunc([][]byte{Meta, Revocations, RecentA, RecentB}, func(needed []byte) bool {
		return bytes.Equal(name, needed)
	})
}

// appendFill is how full bbolt leaves the pages of buckets whose keys grow with time. Its
// default leaves half of each page free. A page of 4 KiB then has nine sessions, of 404 bytes
// with a unionid, and room for the 48 bytes that the first refresh adds to each: a page that
// must be split later leaves two pages half empty.
const appendFill = 0.90

// FillPages makes a transaction fill the pages of the buckets whose keys grow with time.
func FillPages(tx *bbolt.Tx) {
	for _, name := range [][]byte{Sessions, Ends, RecentA, RecentB} {
		if bucket := tx.Bucket(name); bucket != nil {
			bucket.FillPercent = appendFill
		}
	}
}
