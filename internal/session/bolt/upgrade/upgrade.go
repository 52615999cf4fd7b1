// Package upgrade rewrites files that were written by an older wxgate.
package upgrade

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
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/pages"
	"github.com/wxgate/wxgate/internal/session/bolt/steps"
)

const oldUserBytes = 32 // of a user in schema 1

// Step is how many entries one transaction of an upgrade writes. It bounds the upgrade's
// memory.
var Step = 20_000

// Suffix names the new file until it is complete. An interrupted upgrade leaves it behind, and
// the next one overwrites it.
const Suffix = ".upgrade"

// Open opens the database at path for writing. It first rewrites a file of an older schema,
// which takes about ten seconds for a million sessions, and as much disk space again. A crash
// at any point leaves the complete old file or the complete new file.
func Open(path string, skip func(name []byte) bool) (*database.DB, error) {
	db, err := database.Open(path, false, skip)
	if err != nil {
		return nil, err
	}
	var version int
	err = database.Guard(session.ErrCorrupt, func() error {
		return db.View(func(tx *bbolt.Tx) error {
			version, _ = layout.SchemaOf(tx) // checkSchema reports the error
			return nil
		})
	})
	if err == nil && (version == 0 || version >= layout.Version) {
		return db, nil
	}
	if err == nil {
		err = upgrade(path, db, version)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("upgrading %w", database.Explain(path, err))
	}
	return database.Open(path, false, skip)
}

// upgrade writes a new file and renames it to the path of the old one. Until then, the old
// file is open, and so locked.
func upgrade(path string, old *database.DB, version int) error {
	temp := path + Suffix
	if err := database.Remove(temp); err != nil {
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
			return upgradeTo(target, tx, version)
		})
	})
	if err == nil {
		err = target.Sync()
	}
	if err := errors.Join(err, target.Close()); err != nil {
		return errors.Join(err, database.Remove(temp))
	}
	return database.Replace(path, temp)
}

// upgradeTo copies a file of an older schema. Without the root secret no unionid can be read,
// so the sessions have no person.
func upgradeTo(target *database.DB, from *bbolt.Tx, version int) error {
	if err := target.Update(layout.Create); err != nil {
		return err
	}
	to := &steps.Writer{DB: target.DB, Each: Step, Begun: layout.FillPages}
	defer to.Rollback()
	for _, copied := range append([][]byte{layout.Meta, layout.Revocations, layout.Attempts}, layout.Others...) {
		if err := to.Copy(from, copied); err != nil {
			return err
		}
	}
	if err := to.Put(layout.Meta, layout.MetaSchema, []byte(strconv.Itoa(layout.Version))); err != nil {
		return err
	}
	if last, _ := from.Bucket(layout.Sessions).Cursor().Last(); last != nil {
		if err := to.Put(layout.Meta, layout.MetaUnlisted, last); err != nil {
			return err
		}
	}
	rest := upgradeSecond
	if version == 1 {
		rest = upgradeFirst
	}
	if err := rest(to, from); err != nil {
		return err
	}
	return to.Commit()
}

// upgradeSecond copies from a file of schema 2 the buckets that differ, and those that refer
// to them. The sessions and recent sessions have no person.
func upgradeSecond(to *steps.Writer, from *bbolt.Tx) error {
	for _, copied := range [][]byte{layout.Users, layout.Ends} {
		if err := to.Copy(from, copied); err != nil {
			return err
		}
	}
	const before = layout.TimeBytes + layout.TimeBytes + layout.UserBytes // what precedes the person
	for bucket, at := range map[string]int{string(layout.Sessions): before, string(layout.RecentA): layout.UserBytes, string(layout.RecentB): layout.UserBytes} {
		err := from.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
			if len(v) < at {
				return fmt.Errorf("%w: an entry of %d bytes in %s", session.ErrCorrupt, len(v), bucket)
			}
			return to.Put([]byte(bucket), k, slices.Concat(v[:at], layout.NoPerson, v[at:]))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// upgradeFirst copies from a file of schema 1 the buckets that differ:
//
//	sessions  session -> sealed session
//	users     user (32 bytes) + session -> when it ends
//	keys      user -> sealed session keys
//	ends      when + 'e' session -> user
func upgradeFirst(to *steps.Writer, from *bbolt.Tx) error {
	cursor := from.Bucket(layout.Ends).Cursor()
	for k, user := cursor.First(); k != nil; k, user = cursor.Next() {
		if err := to.Put(layout.Ends, k, nil); err != nil {
			return err
		}
		if len(k) == layout.TimeBytes+1+layout.SessionBytes && k[layout.TimeBytes] == layout.TagEnd {
			if err := upgradeSession(to, from, k, user); err != nil {
				return err
			}
		}
	}
	cursor = from.Bucket(layout.Users).Cursor() // in key order, so that pages are written once
	for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
		if len(k) != oldUserBytes+layout.SessionBytes {
			return fmt.Errorf("%w: a key of %d bytes in %s", session.ErrCorrupt, len(k), layout.Users)
		}
		if err := to.Put(layout.Users, slices.Concat(k[:layout.UserBytes], k[oldUserBytes:]), nil); err != nil {
			return err
		}
	}
	return nil
}

// upgradeSession writes a session that the index of ends lists with key.
func upgradeSession(to *steps.Writer, from *bbolt.Tx, key, user []byte) error {
	id, end := key[layout.TimeBytes+1:], layout.KeyTime(key)
	sealed := from.Bucket(layout.Sessions).Get(id)
	if len(user) < layout.UserBytes || sealed == nil {
		return fmt.Errorf("%w: the index of ends lists a session that is missing", session.ErrCorrupt)
	}
	e := layout.Entry{End: end, Listed: end, User: user[:layout.UserBytes], Person: layout.NoPerson, Session: sealed}
	newest := slices.Concat(user, id)
	cursor := from.Bucket(layout.Users).Cursor()
	for k, _ := cursor.Seek(newest); k != nil && bytes.HasPrefix(k, user); k, _ = cursor.Next() {
		newest = k
	}
	if bytes.HasSuffix(newest, id) {
		e.Keys = from.Bucket(layout.KeyPlace).Get(user)
	}
	return to.Put(layout.Sessions, id, e.Encode())
}
