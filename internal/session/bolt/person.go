package bolt

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/recent"
)

// UsersOf implements [auth.Store].
func (s *Store) UsersOf(ctx context.Context, u auth.UnionID) ([]auth.User, error) {
	found := make(map[auth.User]bool)
	if err := s.read(ctx, func(c *change) error { c.findUsers(u, found); return nil }); err != nil {
		return nil, err
	}
	// Sessions that began before the file had persons are read one by one, until the last
	// of them has ended.
	list := lister{query: auth.Query{Limit: listStep}}
	err := s.read(ctx, func(c *change) error {
		list.until = c.get(layout.Meta, layout.MetaUnlisted)
		return nil
	})
	for list.done = list.until == nil; err == nil && !list.done; {
		list.page.Sessions = nil
		err = s.read(ctx, list.read)
		for _, sess := range list.page.Sessions {
			if sess.UnionID == u {
				found[sess.User] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found)), err
}

// findUsers finds the users of the sessions of a person.
func (c *change) findUsers(u auth.UnionID, found map[auth.User]bool) {
	person := c.person(u)
	for user := range c.usersOf(person) {
		for _, at := range c.sessionsOf(user[:]) {
			e, ok := c.entry(at.id)
			if !ok || !bytes.Equal(e.Person, person) || !e.End.After(c.now) {
				continue
			}
			if sess, err := c.openSession(at.id, e); err == nil && sess.UnionID == u {
				found[sess.User] = true
				break
			}
		}
	}
}

// usersOf returns the users that are, or were, listed for a person.
func (c *change) usersOf(person []byte) map[recent.User]bool {
	users := make(map[recent.User]bool)
	cursor := c.tx.Bucket(layout.Persons).Cursor()
	for k, _ := cursor.Seek(person); k != nil && bytes.HasPrefix(k, person); k, _ = cursor.Next() {
		users[recent.User(k[layout.PersonBytes:])] = true
	}
	for _, user := range c.recent.UsersOf(recent.Person(person)) {
		users[user] = true
	}
	return users
}

// person returns the key of a person in the indexes; zeros without a unionid.
func (c *change) person(u auth.UnionID) []byte {
	if u == "" {
		return layout.NoPerson
	}
	return c.vault.HashPerson(u)[:layout.PersonBytes]
}

func isNoPerson(person []byte) bool { return recent.Person(person) == recent.Person{} }

// listPerson writes a recent session to the index of persons. Most users are already listed by
// an earlier session.
func listPerson(tx *bbolt.Tx, person, user, id []byte) error {
	persons, key := tx.Bucket(layout.Persons), slices.Concat(person, user)
	if tx.Bucket(layout.Sessions).Get(id) == nil || has(persons, key) {
		return nil
	}
	if err := persons.Put(key, nil); err != nil {
		return fmt.Errorf("writing to %s: %w", layout.Persons, err)
	}
	return nil
}

// has reports whether a bucket has a key: Get cannot distinguish an empty value from a missing
// key.
func has(bucket *bbolt.Bucket, key []byte) bool {
	k, _ := bucket.Cursor().Seek(key)
	return bytes.Equal(k, key)
}

// unlistPerson removes the user of a deleted session from the index of persons, unless one of
// the user's remaining sessions is of the same person.
func (c *change) unlistPerson(deleted layout.Entry, left []indexed) error {
	if isNoPerson(deleted.Person) {
		return nil
	}
	for _, at := range left {
		if e, ok := c.entry(at.id); ok && bytes.Equal(e.Person, deleted.Person) {
			return nil
		}
	}
	return c.delete(layout.Persons, slices.Concat(deleted.Person, deleted.User))
}
