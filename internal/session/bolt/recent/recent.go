// Package recent is the index of the users of recent sessions in a file of bbolt.
//
// A user's hash is a random key: written with the login, it would cost each login a leaf
// and a branch of the index of users. Instead it is appended to a bucket in the order of
// time, with an index in memory; a whole bucket is then merged into the index of users in
// the order of its keys, a few with each later commit, so that they share pages.
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

// Limit is how many sessions are kept out of the index of users until they are merged
// into it. Among a million sessions that leaves two to each page of the index that a
// merge writes, and takes some 3 MB of memory twice.
const Limit = 1 << 15

// mergeFactor is how many sessions are merged for each one that is added. With more than
// one, a merge is over before the next one is due.
const mergeFactor = 2

// Index is safe for concurrent use by readers and one commit at a time. What it returns
// may have ended, or may never have been committed: the caller looks for the session.
type Index struct {
	// Limit is how many sessions are gathered before they are merged; set before use.
	Limit int

	mu      sync.RWMutex
	current *generation
	merging *generation // nil if there is none
	spare   []byte      // the bucket that is empty, if none is merged

	// Of the commit under way.
	added, merged int
	removed       []removal
}

// removal is what a commit deletes of a user.
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
)

// generation is one bucket of recent sessions.
type generation struct {
	bucket   []byte
	sessions []entry
	newest   map[User]int // of sessions
	// While it is merged:
	order []int // of sessions, by user
	next  int   // the first of order that is not merged yet
}

type entry struct {
	user User
	id   Session
	// before is the user's session before this one in the generation, or -1.
	before int
}

func newGeneration(bucket []byte) *generation {
	return &generation{bucket: bucket, newest: make(map[User]int)}
}

func (g *generation) add(user User, id Session) {
	before, ok := g.newest[user]
	if !ok {
		before = -1
	}
	g.newest[user] = len(g.sessions)
	g.sessions = append(g.sessions, entry{user: user, id: id, before: before})
}

// of lists a user's sessions.
func (g *generation) of(user User) (ids []Session) {
	at, ok := g.newest[user]
	for ; ok && at >= 0; at = g.sessions[at].before {
		ids = append(ids, g.sessions[at].id)
	}
	return ids
}

// forget removes sessions of a user.
func (g *generation) forget(user User, ids []Session) {
	later := -1 // the user's session after this one that stays
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

// sort begins a merge.
func (g *generation) sort() {
	g.order = make([]int, len(g.sessions))
	for i := range g.order {
		g.order[i] = i
	}
	slices.SortFunc(g.order, func(a, b int) int {
		return cmp.Or(bytes.Compare(g.sessions[a].user[:], g.sessions[b].user[:]), cmp.Compare(a, b))
	})
}

// Load reads the recent sessions of a file, which are in two buckets. Which of them was
// being merged does not matter: merging a session again changes nothing.
func Load(tx *bbolt.Tx, buckets [2][]byte) (*Index, error) {
	generations := make([]*generation, 0, 2)
	for _, bucket := range buckets {
		g := newGeneration(bucket)
		cursor := tx.Bucket(bucket).Cursor()
		for id, user := cursor.First(); id != nil; id, user = cursor.Next() {
			if len(id) != len(Session{}) || len(user) != len(User{}) {
				return nil, fmt.Errorf("%w: an entry of %d and %d bytes in %s", session.ErrCorrupt, len(id), len(user), bucket)
			}
			g.add(User(user), Session(id))
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

// View is the index as one transaction sees it. It is taken before the transaction
// begins, so that a session which is merged meanwhile is in it.
type View struct {
	index       *Index
	generations []*generation
}

// View returns the index for a transaction that begins afterwards, or for the commit
// under way.
func (r *Index) View() View {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v := View{index: r, generations: []*generation{r.current}}
	if r.merging != nil {
		v.generations = append(v.generations, r.merging)
	}
	return v
}

// SessionsOf lists the recent sessions of a user.
func (v View) SessionsOf(user User) (ids []Session) {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	for _, g := range v.generations {
		ids = append(ids, g.of(user)...)
	}
	return ids
}

// Add indexes a session, in a commit.
func (r *Index) Add(tx *bbolt.Tx, user User, id Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := tx.Bucket(r.current.bucket).Put(id[:], user[:]); err != nil {
		return fmt.Errorf("writing to %s: %w", r.current.bucket, err)
	}
	r.current.add(user, id)
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

// Merge calls put for some sessions of the older bucket, at the end of a commit that adds
// others.
func (r *Index) Merge(tx *bbolt.Tx, put func(User, Session) error) error {
	g := r.merging
	if g == nil || r.added == 0 {
		return nil
	}
	until := min(g.next+r.added*mergeFactor, len(g.order))
	for _, i := range g.order[g.next:until] {
		if err := put(g.sessions[i].user, g.sessions[i].id); err != nil {
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

// Committed is called after each commit that succeeded. What a failed one added stays in
// the index: when a sync fails, nobody knows what is on the disk.
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
