package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt/layout"
	"github.com/wxgate/wxgate/internal/session/bolt/upgrade"
)

// SmallSteps makes files merge the index of users every few logins, and upgrade in many
// transactions. It must not be called while files are in use.
func SmallSteps() { recentLimit, upgrade.Step = 16, 7 }

// Count counts the records of the file by a walk over it.
func (f *File) Count() session.Counts {
	var counts contents
	err := f.db.View(func(tx *bbolt.Tx) (err error) {
		counts, err = walk(tx)
		return err
	})
	if err != nil {
		panic(err)
	}
	return session.Counts{Sessions: counts.Sessions, Users: counts.Users}
}

// Traces returns the keys and values of every bucket that name a user or one of the user's
// sessions, by their location.
func (s *Store) Traces(u auth.User) (traces map[string][]byte, err error) {
	traces = make(map[string][]byte)
	user := s.vault.HashUser(u)
	traces["user"], traces["user in indexes"] = user, user[:layout.UserBytes]
	err = s.view(func(c *change) error {
		marks := [][]byte{user[:layout.UserBytes]}
		for _, session := range c.sessionsOf(user) {
			marks = append(marks, session.id)
		}
		return c.tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				for _, mark := range marks {
					if bytes.Contains(k, mark) || bytes.Contains(v, mark) {
						traces[fmt.Sprintf("key %x in %s", k, name)] = bytes.Clone(k)
						traces[fmt.Sprintf("value of %x in %s", k, name)] = bytes.Clone(v)
					}
				}
				return nil
			})
		})
	})
	return traces, err
}

// EraseWithoutWipe is the first half of [Store.Erase], as a crash leaves it.
func (s *Store) EraseWithoutWipe(ctx context.Context, u auth.User) error {
	return s.write(ctx, func(c *change) error {
		_, err := c.erase(u, c.now, c.now)
		return err
	})
}

// Person returns the key of a unionid in the indexes.
func (s *Store) Person(u auth.UnionID) (person []byte, err error) {
	err = s.view(func(c *change) error {
		person = bytes.Clone(c.person(u))
		return nil
	})
	return person, err
}
