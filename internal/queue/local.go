package queue

import (
	"cmp"
	"container/heap"
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Local is a [Store] of one process. It keeps everything in memory, and first writes each
// change to a journal, if it has one. Without a journal it ends with the process.
type Local struct {
	limits  Limits
	journal Journal // nil without one

	loading sync.Mutex // guards loaded
	loaded  bool

	mu     sync.Mutex
	seq    uint64
	bytes  int64
	byID   map[string]*Entry
	orders map[string]*order
	due    dueOrders
	dead   map[string]*Entry
	seen   seen
}

// Journal stores durably what a [Local] has in memory.
type Journal interface {
	// Load returns what an earlier process has stored.
	Load(ctx context.Context) (Kept, error)
	// Write makes changes durable, all or none.
	Write(ctx context.Context, changes []Change) error
	// PurgeRest deletes the entries of other queues in the same place that were put until a
	// given time. Otherwise the entries of a queue that is no longer configured would stay.
	PurgeRest(ctx context.Context, until time.Time) error
}

// Kept is the content of a [Journal]: entries and dead letters in the order of their places,
// and the IDs that [Store.AppendOnce] remembers, oldest first.
type Kept struct {
	Live, Dead []*Entry
	Seen       []Seen
}

// Change is a new state of a queue, at one place or among the remembered IDs.
type Change struct {
	Seq   uint64
	Entry *Entry // nil if the place is empty
	Dead  bool   // Entry is a dead letter

	Remember, Forget *Seen // in place of a change at a place
}

// order has the entries of one order, first to last; it is never empty.
type order struct {
	name    string
	entries []*Entry
	due     time.Time // when the first entry is due, or its claim ends
	at      int       // index in the heap
}

// NewLocal returns a store with the content of the journal, which may be nil.
func NewLocal(limits Limits, journal Journal) *Local {
	return &Local{
		limits: limits, journal: journal, loaded: journal == nil,
		byID: make(map[string]*Entry), orders: make(map[string]*order), dead: make(map[string]*Entry),
		seen: seen{at: make(map[string]time.Time)},
	}
}

// lock loads the journal on the first call, and locks the store. The caller unlocks l.mu unless
// lock returned an error.
func (l *Local) lock(ctx context.Context) error {
	if err := l.load(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	return nil
}

// load loads the journal once. Opening a store does not wait for the load, because the file may
// still be checked.
func (l *Local) load(ctx context.Context) error {
	l.loading.Lock()
	defer l.loading.Unlock()
	if l.loaded {
		return nil
	}
	kept, err := l.journal.Load(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range kept.Live {
		l.insert(e)
	}
	for _, e := range kept.Dead {
		l.seq = max(l.seq, e.Seq)
		l.dead[e.ID] = e
	}
	for _, s := range kept.Seen {
		l.seen.remember(s)
	}
	l.loaded = true
	return nil
}

// write writes changes to the journal.
func (l *Local) write(ctx context.Context, changes ...Change) error {
	if l.journal == nil || len(changes) == 0 {
		return nil
	}
	return l.journal.Write(ctx, changes)
}

// Append implements [Store].
func (l *Local) Append(ctx context.Context, entries []*Entry) (added int, err error) {
	if err := l.lock(ctx); err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	fresh, added := l.place(entries)
	changes := make([]Change, len(fresh))
	for i, e := range fresh {
		changes[i] = Change{Seq: e.Seq, Entry: e}
	}
	if err := l.write(ctx, changes...); err != nil {
		return 0, err
	}
	for _, e := range fresh {
		l.insert(e)
	}
	return added, nil
}

// place returns copies, with their places in the queue, of the entries that fit and are new. It
// also returns how many entries fit.
func (l *Local) place(entries []*Entry) (fresh []*Entry, fit int) {
	room, bytes := l.limits.Entries-len(l.byID), l.limits.Bytes-l.bytes
	for _, e := range entries {
		if l.byID[e.ID] == nil {
			room, bytes = room-1, bytes-e.Size()
			if room < 0 || bytes < 0 {
				break
			}
			fresh = append(fresh, l.placed(e, len(fresh)))
		}
		fit++
	}
	return fresh, fit
}

// placed returns a copy for the place behind all entries and n others.
func (l *Local) placed(e *Entry, n int) *Entry {
	kept := *e
	kept.Seq = l.seq + 1 + uint64(n) //nolint:gosec // G115: a length
	return &kept
}

// insert adds an entry to the end of its order.
func (l *Local) insert(e *Entry) {
	l.seq = max(l.seq, e.Seq)
	l.byID[e.ID] = e
	l.bytes += e.Size()
	if o := l.orders[e.Order]; o != nil {
		o.entries = append(o.entries, e)
		return
	}
	o := &order{name: e.Order, entries: []*Entry{e}, due: e.Next}
	l.orders[e.Order] = o
	heap.Push(&l.due, o)
}

// remove removes an entry from the queue; the next entry of its order is due at once.
func (l *Local) remove(e *Entry) {
	delete(l.byID, e.ID)
	l.bytes -= e.Size()
	o := l.orders[e.Order]
	o.entries = slices.DeleteFunc(o.entries, func(other *Entry) bool { return other == e })
	if len(o.entries) == 0 {
		heap.Remove(&l.due, o.at)
		delete(l.orders, o.name)
		return
	}
	o.due = o.entries[0].Next
	heap.Fix(&l.due, o.at)
}

// Mark implements [Store].
func (l *Local) Mark(ctx context.Context, e *Entry) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.mu.Unlock()
	if o := l.orders[e.Order]; o != nil && slices.ContainsFunc(o.entries, func(e *Entry) bool { return e.Attempts == 0 }) {
		return nil
	}
	kept := l.placed(e, 0)
	if err := l.write(ctx, Change{Seq: kept.Seq, Entry: kept}); err != nil {
		return err
	}
	l.insert(kept)
	return nil
}

// idle is the wait of an empty store. Only its own process adds entries.
const idle = time.Hour

// Claim implements [Store]. Claims end with the process, so the journal does not have them.
func (l *Local) Claim(ctx context.Context, lease time.Duration) (e *Entry, wait time.Duration, err error) {
	if err := l.lock(ctx); err != nil {
		return nil, 0, err
	}
	defer l.mu.Unlock()
	if len(l.due) == 0 {
		return nil, idle, nil
	}
	now, o := time.Now(), l.due[0]
	if wait := o.due.Sub(now); wait > 0 {
		return nil, wait, nil
	}
	o.entries[0].Attempts++
	o.due = now.Add(lease)
	claimed := *o.entries[0]
	heap.Fix(&l.due, o.at)
	return &claimed, 0, nil
}

// settle removes a claimed entry from the queue after the changes are written. It returns false
// if the entry was claimed again since.
func (l *Local) settle(ctx context.Context, e *Entry, changes ...Change) (settled bool, err error) {
	kept := l.byID[e.ID]
	// Each claim has a different number, so that an expired claim settles nothing.
	if kept == nil || kept.Attempts != e.Attempts {
		return false, nil
	}
	if err := l.write(ctx, changes...); err != nil {
		return false, err
	}
	l.remove(kept)
	return true, nil
}

// Done implements [Store].
func (l *Local) Done(ctx context.Context, e *Entry) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.mu.Unlock()
	_, err := l.settle(ctx, e, Change{Seq: e.Seq})
	return err
}

// Retry implements [Store].
func (l *Local) Retry(ctx context.Context, e *Entry, name string) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.mu.Unlock()
	again := *e
	again.Order = name
	settled, err := l.settle(ctx, e, Change{Seq: e.Seq, Entry: &again})
	if settled {
		l.restore(&again)
	}
	return err
}

// restore inserts an entry that was attempted at its former place, before later entries.
func (l *Local) restore(e *Entry) {
	l.insert(e)
	o := l.orders[e.Order]
	slices.SortFunc(o.entries, func(a, b *Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	o.due = o.entries[0].Next
	heap.Fix(&l.due, o.at)
}

// Bury implements [Store].
func (l *Local) Bury(ctx context.Context, e *Entry) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.mu.Unlock()
	letter := *e
	changes := []Change{{Seq: e.Seq, Entry: &letter, Dead: true}}
	oldest := l.sortedDead()
	oldest = oldest[:max(0, len(oldest)+1-l.limits.Dead)]
	for _, other := range oldest {
		changes = append(changes, Change{Seq: other.Seq})
	}
	settled, err := l.settle(ctx, e, changes...)
	if !settled {
		return err
	}
	for _, other := range oldest {
		delete(l.dead, other.ID)
	}
	l.dead[letter.ID] = &letter
	return nil
}

// sortedDead returns the dead letters, oldest first.
func (l *Local) sortedDead() []*Entry {
	return slices.SortedFunc(maps.Values(l.dead), func(a, b *Entry) int { return cmp.Compare(a.Seq, b.Seq) })
}
