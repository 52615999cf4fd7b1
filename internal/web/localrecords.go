package web

import (
	"bytes"
	"container/heap"
	"context"
	"sync"
	"time"
)

// sweptWithAdd is how many expired records an Add forgets: more than it adds, so that their
// number falls.
const sweptWithAdd = 4

// LocalRecords are [Records] in memory, which end with the process.
type LocalRecords struct {
	now func() time.Time

	mu      sync.Mutex // guards all below
	records map[RecordID]*localRecord
	ends    recordEnds
}

// localRecord stays in the heap of ends until it expires, even if it was deleted.
type localRecord struct {
	id    RecordID
	value []byte
	until time.Time
}

// NewLocalRecords returns an empty store; now is the clock by which records expire.
func NewLocalRecords(now func() time.Time) *LocalRecords {
	return &LocalRecords{now: now, records: make(map[RecordID]*localRecord)}
}

// Add implements [Records].
func (l *LocalRecords) Add(_ context.Context, id RecordID, value []byte, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
	if _, err := l.live(id); err == nil {
		return ErrRecordExists
	}
	r := &localRecord{id, bytes.Clone(value), until}
	l.records[id] = r
	heap.Push(&l.ends, r)
	return nil
}

// Get implements [Records].
func (l *LocalRecords) Get(_ context.Context, id RecordID) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := l.live(id)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(r.value), nil
}

// Swap implements [Records].
func (l *LocalRecords) Swap(_ context.Context, id RecordID, old, next []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := l.live(id)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(r.value, old):
		return ErrRecordChanged
	case next == nil:
		delete(l.records, id)
	default:
		r.value = bytes.Clone(next)
	}
	return nil
}

// live returns a record that has not expired.
func (l *LocalRecords) live(id RecordID) (*localRecord, error) {
	r, ok := l.records[id]
	if !ok || !l.now().Before(r.until) {
		return nil, ErrNoRecord
	}
	return r, nil
}

// sweep forgets expired records.
func (l *LocalRecords) sweep() {
	now := l.now()
	for range sweptWithAdd {
		if len(l.ends) == 0 || now.Before(l.ends[0].until) {
			return
		}
		r := heap.Pop(&l.ends).(*localRecord) //nolint:forcetypeassert // the heap has nothing else
		if l.records[r.id] == r {             // not a record that was added later with the same ID
			delete(l.records, r.id)
		}
	}
}

// recordEnds is a heap of records, the first to expire first.
type recordEnds []*localRecord

func (e recordEnds) Len() int           { return len(e) }
func (e recordEnds) Less(i, j int) bool { return e[i].until.Before(e[j].until) }
func (e recordEnds) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *recordEnds) Push(r any)        { *e = append(*e, r.(*localRecord)) } //nolint:forcetypeassert // see sweep

func (e *recordEnds) Pop() any {
	last := len(*e) - 1
	r := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return r
}

// Interface guards
var _ Records = (*LocalRecords)(nil)
