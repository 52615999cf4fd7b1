package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/database"
	"github.com/wxgate/wxgate/internal/session/bolt/pages"
	"github.com/wxgate/wxgate/internal/session/bolt/steps"
)

const oldUserBytes = 32 // of a user in schema 1

// upgradeStep is how many entries one transaction of an upgrade writes. It bounds the
// memory of an upgrade.
var upgradeStep = 20_000

// upgradeSuffix names the new file until it is complete. An upgrade that was cut off
// leaves it behind, and the next one overwrites it.
const upgradeSuffix = ".upgrade"

// openUpgraded opens the database at path for writing. It first rewrites a file of schema
// 1, which takes some ten seconds for a million sessions, and as much room again. A crash
// at any point leaves the old file or the new one, whole.
func openUpgraded(path string, skip func(name []byte) bool) (*database.DB, error) {
	db, err := database.Open(path, false, skip)
	if err != nil {
		return nil, err
	}
	var version int
	err = database.Guard(session.ErrCorrupt, func() error {
		return db.View(func(tx *bbolt.Tx) error {
			version, _ = schemaOf(tx) // checkSchema reports the error
			return nil
		})
	})
	if err == nil && (version == 0 || version >= schemaVersion) {
		return db, nil
	}
	if err == nil {
		err = upgrade(path, db)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("upgrading %w", database.Explain(path, err))
	}
	return database.Open(path, false, skip)
}

// upgrade writes a new file and gives it the old one's name. The old one is open, and so
// locked, until then.
func upgrade(path string, old *database.DB) error {
	temp := path + upgradeSuffix
	if err := remove(temp); err != nil {
		return err
	}
	target, err := database.Open(temp, false, database.EveryBucket)
	if err != nil {
		return err
	}
	target.NoSync = true // until all is written
	err = database.Guard(session.ErrCorrupt, func() error {
		return old.View(func(tx *bbolt.Tx) error {
			if err := pages.Check(context.Background(), tx, old.File, database.EveryBucket, nil); err != nil {
				return err
			}
			return upgradeTo(target, tx)
		})
	})
	if err == nil {
		err = target.Sync()
	}
	if err := errors.Join(err, target.Close()); err != nil {
		return errors.Join(err, remove(temp))
	}
	return replace(path, temp)
}

// upgradeTo copies a file of schema 1, of which these differ:
//
//	sessions  session -> sealed session
//	users     user (32 bytes) + session -> when it ends
//	keys      user -> sealed session keys
//	ends      when + 'e' session -> user
func upgradeTo(target *database.DB, from *bbolt.Tx) error {
	if err := target.Update(createBuckets); err != nil {
		return err
	}
	to := &steps.Writer{DB: target.DB, Each: upgradeStep, Begun: fillPages}
	defer to.Rollback()
	for _, copied := range [][]byte{bucketMeta, bucketRevocations, bucketAttempts} {
		if err := to.Copy(from, copied); err != nil {
			return err
		}
	}
	if err := to.Put(bucketMeta, metaSchema, []byte(strconv.Itoa(schemaVersion))); err != nil {
		return err
	}
	cursor := from.Bucket(bucketEnds).Cursor()
	for k, user := cursor.First(); k != nil; k, user = cursor.Next() {
		if err := to.Put(bucketEnds, k, nil); err != nil {
			return err
		}
		if len(k) == timeKeyBytes+1+sessionKeyBytes && k[timeKeyBytes] == tagEnd {
			if err := upgradeSession(to, from, k, user); err != nil {
				return err
			}
		}
	}
	cursor = from.Bucket(bucketUsers).Cursor() // in its order, so that pages are written once
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) != oldUserBytes+sessionKeyBytes {
			return fmt.Errorf("%w: a key of %d bytes in %s", session.ErrCorrupt, len(k), bucketUsers)
		}
		if err := to.Put(bucketUsers, slices.Concat(k[:indexUserBytes], k[oldUserBytes:]), nil); err != nil {
			return err
		}
	}
	return to.Commit()
}

// upgradeSession writes a session that the index of ends lists with key.
func upgradeSession(to *steps.Writer, from *bbolt.Tx, key, user []byte) error {
	id, end := key[timeKeyBytes+1:], keyTime(key)
	sealed := from.Bucket(bucketSessions).Get(id)
	if len(user) < indexUserBytes || sealed == nil {
		return fmt.Errorf("%w: the index of ends lists a session that is missing", session.ErrCorrupt)
	}
	e := entry{end: end, listed: end, user: user[:indexUserBytes], session: sealed}
	newest := slices.Concat(user, id)
	cursor := from.Bucket(bucketUsers).Cursor()
	for k, _ := cursor.Seek(newest); k != nil && bytes.HasPrefix(k, user); k, _ = cursor.Next() {
		newest = k
	}
	if bytes.HasSuffix(newest, id) {
		e.keys = from.Bucket(keyPlace).Get(user)
	}
	return to.Put(bucketSessions, id, e.encode())
}
