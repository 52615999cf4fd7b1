package bolt

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
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

// schemaVersion is the layout below. Raise it when an older wxgate would misread
// the file, and have [upgrade] rewrite older files.
//
//	meta         schema, secret, index (sealed), probe + number, wipe
//	sessions     session -> entry: its end, its user, the user's session keys (sealed)
//	             and the session (sealed); see [entry]
//	users        user + session -> nothing, for the sessions that are not in recent
//	recent-a/-b  session -> user, until they are merged into users; see package recent
//	revocations  's' session | 'u' user | 'k' key ID | 'x' erased user -> sealed revocation
//	attempts     user or erased user -> when they end + sealed attempts to decrypt open data
//	ends         when + 'e' session -> nothing; when + key of a revocation -> nothing;
//	             when + 'a' user -> nothing
//	queue, queue-dead  of package boltqueue
//
// A session is the 16 bytes of its ID, which sort by when it began; a user is a
// keyed hash of 32 bytes, of which sessions, users and recent have the first 16; an erased
// user is a hash of 32 bytes under another key; a time is 8 bytes of Unix microseconds, big
// endian.
//
// Only users has keys in random order, and a login writes none of it: a random key
// costs a page of its own in each commit. Any further index of sessions (by a person,
// for example) goes the same way: into recent first.
const schemaVersion = 2

var (
	bucketMeta        = []byte("meta")
	bucketSessions    = []byte("sessions")
	bucketUsers       = []byte("users")
	bucketRecentA     = []byte("recent-a")
	bucketRecentB     = []byte("recent-b")
	bucketRevocations = []byte("revocations")
	bucketAttempts    = []byte("attempts") // made when it is first needed
	bucketEnds        = []byte("ends")

	buckets = [][]byte{bucketMeta, bucketSessions, bucketUsers, bucketRecentA, bucketRecentB, bucketRevocations, bucketEnds}

	metaSchema = []byte("schema")
	metaSecret = []byte("secret") // names the root secret that index is sealed with
	metaIndex  = []byte("index")
	metaProbe  = []byte("probe") // written to see whether writing works; see [database.Probe]
	metaWipe   = []byte("wipe")  // there while free pages may have records of an erased user
)

// recentLimit is a variable for tests.
var recentLimit = recent.Limit

const (
	sessionKeyBytes = 16
	indexUserBytes  = 16 // of the 32 of a user's hash: no two users share them
	timeKeyBytes    = 8

	tagEnd      = 'e'
	tagSession  = 's'
	tagUser     = 'u'
	tagKey      = 'k'
	tagErased   = 'x'
	tagAttempts = 'a'
)

// createBuckets makes the buckets of a new file and leaves an old one as it is. It
// refuses a database of another program.
func createBuckets(tx *bbolt.Tx) error {
	if tx.Bucket(bucketMeta) != nil {
		if err := checkSchema(tx); err != nil {
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
	return tx.Bucket(bucketMeta).Put(metaSchema, []byte(strconv.Itoa(schemaVersion)))
}

// checkSchema refuses what this wxgate would misread.
func checkSchema(tx *bbolt.Tx) error {
	version, err := schemaOf(tx)
	switch {
	case err != nil:
		return err
	case version < schemaVersion:
		return fmt.Errorf("%w: schema %d: start the gateway on the file once, which rewrites it", session.ErrCorrupt, version)
	case version > schemaVersion:
		return fmt.Errorf("%w: schema %d, this wxgate supports %d: %s", session.ErrNewerSchema, version, schemaVersion, database.AdviseNewer)
	}
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: bucket %s is missing: %s", session.ErrCorrupt, name, database.AdviseCorrupt)
		}
	}
	return nil
}

// schemaOf reads the version of a file's layout.
func schemaOf(tx *bbolt.Tx) (int, error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return 0, fmt.Errorf("%w: bucket meta is missing: %s", session.ErrCorrupt, database.AdviseCorrupt)
	}
	version, err := strconv.Atoi(string(meta.Get(metaSchema)))
	if err != nil || version < 1 {
		return 0, fmt.Errorf("%w: schema %q: %s", session.ErrCorrupt, meta.Get(metaSchema), database.AdviseCorrupt)
	}
	return version, nil
}

// sessionIDs is how session IDs are spelled; see [auth.NewSessionID].
var sessionIDs = base64.RawURLEncoding

var errBadSessionID = errors.New("not a session ID")

// sessionKey is the 16 bytes of a session ID.
func sessionKey(id auth.SessionID) ([]byte, error) {
	if _, err := auth.ParseSessionID(string(id)); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadSessionID, err)
	}
	return sessionIDs.AppendDecode(make([]byte, 0, sessionKeyBytes), []byte(id))
}

// sessionID is the inverse of sessionKey.
func sessionID(key []byte) auth.SessionID { return auth.SessionID(sessionIDs.EncodeToString(key)) }

// timeKey sorts by time. Times before 1970 are all the same to a sweep: over.
func timeKey(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(t.UnixMicro(), 0)))
}

func keyTime(key []byte) time.Time {
	if len(key) < timeKeyBytes {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(key))) //nolint:gosec // G115: what a time was written as
}

// neededAtOnce skips the buckets that opening a file does not read.
func neededAtOnce(name []byte) bool {
	return !slices.ContainsFunc([][]byte{bucketMeta, bucketRevocations, bucketRecentA, bucketRecentB}, func(needed []byte) bool {
		return bytes.Equal(name, needed)
	})
}

// appendFill is how full bbolt leaves the pages of buckets whose keys grow with time,
// where it leaves half of each page free by default. In a page of 4 KiB that is nine
// sessions, and room for what their first refresh adds to them: a page that must be split
// later leaves two pages half empty.
const appendFill = 0.88

func fillPages(tx *bbolt.Tx) {
	for _, name := range [][]byte{bucketSessions, bucketEnds, bucketRecentA, bucketRecentB} {
		if bucket := tx.Bucket(name); bucket != nil {
			bucket.FillPercent = appendFill
		}
	}
}
