// Package recent is the index of the users and persons of recent sessions in a bbolt file.
//
// A user's hash is a random key: written with the login, it would cost each login a leaf
// and a branch of the index of users, and a person's hash as much again. Instead, each login
// appends both to a bucket in the order of time, with an index in memory. A full bucket is
// then merged into the index of users and then into that of persons, each in the order of its
// keys, a few with each later commit, so that they share pages.
package recent

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
)

// Limit is how many sessions are kept out of the index of users until they are merged into it.
// Among a million sessions, that is two for each page of the index that a merge writes. It
// takes about 3 MB of memory, twice.
const Limit = 1 << 15

// mergeFactor is how many entries are merged for each session that is added. A session has one
// or two entries, so with more than two, a merge ends before the next one is due.
const mergeFactor = 4

// Index is safe for concurrent use by readers and one commit at a time. A session that it
// returns may have ended, or may never have been committed: the caller must look it up.
type Index struct {
	// Limit is how many sessions are gathered before they are merged; set before use.
	Limit int

	mu      sync.RWMutex
	current *generation
	merging *generation // nil if there is none
	spare   []byte      // the empty bucket, if no bucket is being merged

	// Of the current commit.
	added, merged int
	removed       []removal
}

// removal is what a commit deletes for a user.
type removal struct {
	generation *generation
	user       User
	ids        []Session
}

type (
	// User is the first bytes of a user's hash.
	User [16]byte
	// Session is the key of a session.
	Session [16]byte
	// Person is the first bytes of the hash of a unionid; zero for a session without one.
	// Two unionids may share a Person: the sessions have the unionids to distinguish them.
	Person [8]byte
)

const userBytes = len(User{})

// value returns the value of a session in a bucket.
func value(user User, person Person) []byte { return slices.Concat(user[:], person[:]) }

// generation is one bucket of recent sessions.
type generation struct {
	bucket   []byte
	sessions []entry
	newest   map[User]int // of sessions
	// During a merge:
	order []int // of sessions, by user, and then of those with a person, by person
	next  int   // the first in order that is not merged yet
}

type entry struct {
	user   User
	person Person
	id     Session
	// before is the user's previous session in the generation, or -1.
	before int
}

func newGeneration(bucket []byte) *generation {
	return &generation{bucket: bucket, newest: make(map[User]int)}
}

func (g *generation) add(user User, person Person, id Session) {
	before, ok := g.newest[user]
	if !ok {
		before = -1
	}
	g.newest[user] = len(g.sessions)
	g.sessions = append(g.sessions, entry{user: user, person: person, id: id, before: before})
}

// of returns a user's sessions.
func (g *generation) of(user User) (ids []Session) {
	at, ok := g.newest[user]
	for ; ok && at >= 0; at = g.sessions[at].before {
		ids = append(ids, g.sessions[at].id)
	}
	return ids
}

// forget removes sessions of a user.
func (g *generation) forget(user User, ids []Session) {
	later := -1 // the user's next session that is kept
	for at, ok := g.newest[user]; ok && at >= 0; {
		before := g.sessions[at].before
		switch {
		case !slices.Contains(ids, g.sessions[at].id):
			later = at
		case later >= 0:
			g.sessions[later].before = before
			g.sessions[at] = entry{before: -1}
		case before >= 0:
			g.newest[user] = before
			g.sessions[at] = entry{before: -1}
		default:
			delete(g.newest, user)
			g.sessions[at] = entry{before: -1}
		}
		at = before
	}
}

// sort prepares a merge.
func (g *generation) sort() {
	g.order = make([]int, len(g.sessions))
	for i := range g.order {
		g.order[i] = i
	}
	slices.SortFunc(g.order, func(a, b int) int {
		return cmp.Or(bytes.Compare(g.sessions[a].user[:], g.sessions[b].user[:]), cmp.Compare(a, b))
	})
	persons := slices.DeleteFunc(slices.Clone(g.order), func(i int) bool { return g.sessions[i].person == Person{} })
	slices.SortStableFunc(persons, func(a, b int) int {
		return bytes.Compare(g.sessions[a].person[:], g.sessions[b].person[:])
	})
	g.order = append(g.order, persons...)
}

// Load reads the recent sessions of a file, which are in two buckets. It does not matter which
// bucket was being merged: merging a session again changes nothing.
func Load(tx *bbolt.Tx, buckets [2][]byte) (*Index, error) {
	generations := make([]*generation, 0, 2)
	for _, bucket := range buckets {
		g := newGeneration(bucket)
		cursor := tx.Bucket(bucket).Cursor()
		for id, v := cursor.First(); id != nil; id, v = cursor.Next() {
			if len(id) != len(Session{}) || len(v) != userBytes+len(Person{}) {
				return nil, fmt.Errorf("%w: an entry of %d and %d bytes in %s", session.ErrCorrupt, len(id), len(v), bucket)
			}
			g.add(User(v), Person(v[userBytes:]), Session(id))
		}
		generations = append(generations, g)
	}
	r := &Index{Limit: Limit, current: generations[0]}
	r.spare = generations[1].bucket
	if other := generations[1]; len(other.sessions) > 0 {
		r.current, r.merging, r.spare = other, r.current, nil
		r.merging.sort()
	}
	return r, nil
}

// View is the index as seen by one transaction. Take it before the transaction begins, so that
// it includes a session that is merged meanwhile.
type View struct {
	index       *Index
	generations []*generation
}

// View returns the index for a transaction that begins afterwards, or for the current commit.
func (r *Index) View() View {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v := View{index: r, generations: []*generation{r.current}}
	if r.merging != nil {
		v.generations = append(v.generations, r.merging)
	}
	return v
}

// SessionsOf returns the recent sessions of a user.
func (v View) SessionsOf(user User) (ids []Session) {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	for _, g := range v.generations {
		ids = append(ids, g.of(user)...)
	}
	return ids
}

// Users returns the users of all recent sessions.
func (v View) Users() map[Session]User {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	users := make(map[Session]User)
	for _, g := range v.generations {
		for _, s := range g.sessions {
			users[s.id] = s.user
		}
	}
	return users
}

// UsersOf returns the users of the recent sessions of a person, possibly with duplicates. It
// visits all recent sessions, which takes less than a millisecond.
func (v View) UsersOf(person Person) (users []User) {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	for _, g := range v.generations {
		for _, s := range g.sessions {
			if s.person == person {
				users = append(users, s.user)
			}
		}
	}
	return users
}

// Add indexes a session within a commit.
func (r *Index) Add(tx *bbolt.Tx, user User, person Person, id Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := tx.Bucket(r.current.bucket).Put(id[:], value(user, person)); err != nil {
		return fmt.Errorf("writing to %s: %w", r.current.bucket, err)
	}
	r.current.add(user, person, id)
	r.added++
	return nil
}

// Remove deletes every entry of a user, in a commit that deletes the user's sessions.
func (r *Index) Remove(tx *bbolt.Tx, user User) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	generations := []*generation{r.current}
	if r.merging != nil {
		generations = append(generations, r.merging)
	}
	for _, g := range generations {
		ids := g.of(user)
		for _, id := range ids {
			if err := tx.Bucket(g.bucket).Delete(id[:]); err != nil {
				return fmt.Errorf("deleting from %s: %w", g.bucket, err)
			}
		}
		r.removed = append(r.removed, removal{g, user, ids})
	}
	return nil
}

// Lists are the indexes that recent sessions are merged into.
type Lists struct {
	User   func(User, Session) error
	Person func(Person, User, Session) error
}

// Merge merges some sessions of the older bucket, at the end of a commit that adds others.
func (r *Index) Merge(tx *bbolt.Tx, lists Lists) error {
	g := r.merging
	if g == nil || r.added == 0 {
		return nil
	}
	until := min(g.next+r.added*mergeFactor, len(g.order))
	for at, i := range g.order[g.next:until] {
		s := g.sessions[i]
		list := func() error { return lists.User(s.user, s.id) }
		if g.next+at >= len(g.sessions) {
			list = func() error { return lists.Person(s.person, s.user, s.id) }
		}
		if err := list(); err != nil {
			return err
		}
	}
	r.merged = until - g.next
	if until < len(g.order) {
		return nil
	}
	if err := tx.DeleteBucket(g.bucket); err != nil {
		return fmt.Errorf("deleting bucket %s: %w", g.bucket, err)
	}
	if _, err := tx.CreateBucket(g.bucket); err != nil {
		return fmt.Errorf("creating bucket %s: %w", g.bucket, err)
	}
	return nil
}

// Begin is called before each commit.
func (r *Index) Begin() { r.added, r.merged, r.removed = 0, 0, nil }

// Committed is called after each successful commit. Additions of a failed commit stay in the
// index: when a sync fails, it is unknown what is on the disk.
func (r *Index) Committed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.removed {
		one.generation.forget(one.user, one.ids)
	}
	if g := r.merging; g != nil {
		if g.next += r.merged; g.next == len(g.order) {
			r.merging, r.spare = nil, g.bucket
		}
	}
	if r.merging != nil || len(r.current.sessions) < r.Limit {
		return
	}
	r.merging = r.current
	r.merging.sort()
	r.current, r.spare = newGeneration(r.spare), nil
}
