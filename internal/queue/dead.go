package queue

import (
	"context"
	"slices"
	"time"
)

// Dead implements [Store].
func (l *Local) Dead(ctx context.Context) ([]*Entry, error) {
	if err := l.lock(ctx); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	dead := l.sortedDead()
	for i, e := range dead {
		letter := *e
		dead[i] = &letter
	}
	return dead, nil
}

// Resend implements [Store].
func (l *Local) Resend(ctx context.Context, ids ...string) (resent int, err error) {
	if err := l.lock(ctx); err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	var letters []*Entry
	for _, e := range l.sortedDead() {
		if len(ids) == 0 || slices.Contains(ids, e.ID) {
			letters = append(letters, e.Reborn())
		}
	}
	fresh, _ := l.place(letters)
	var changes []Change
	for _, e := range fresh {
		changes = append(changes, Change{Seq: l.dead[e.ID].Seq}, Change{Seq: e.Seq, Entry: e})
	}
	if err := l.write(ctx, changes...); err != nil {
		return 0, err
	}
	for _, e := range fresh {
		delete(l.dead, e.ID)
		l.insert(e)
	}
	return len(fresh), nil
}

// Reborn returns a dead letter as a new entry for the queue.
func (e *Entry) Reborn() *Entry {
	return &Entry{ID: e.ID, Order: e.Order, Payload: e.Payload, Enqueued: e.Enqueued}
}

// Purge implements [Store].
func (l *Local) Purge(ctx context.Context, until time.Time) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.mu.Unlock()
	var changes []Change
	collect := func(entries map[string]*Entry) (expired []*Entry) {
		for _, e := range entries {
			if !e.Enqueued.After(until) {
				expired = append(expired, e)
				changes = append(changes, Change{Seq: e.Seq})
			}
		}
		return expired
	}
	live, dead := collect(l.byID), collect(l.dead)
	expired := l.seen.until(until)
	for _, s := range expired {
		changes = append(changes, Change{Forget: &s})
	}
	if err := l.write(ctx, changes...); err != nil {
		return err
	}
	l.seen.forget(len(expired))
	for _, e := range live {
		l.remove(e)
	}
	for _, e := range dead {
		delete(l.dead, e.ID)
	}
	if l.journal == nil {
		return nil
	}
	// If the other queues of the journal still run, they deleted entries of this age within
	// the last hour.
	return l.journal.PurgeRest(ctx, until.Add(-purgeEvery))
}

// Status implements [Store].
func (l *Local) Status(ctx context.Context) (Status, error) {
	if err := l.lock(ctx); err != nil {
		return Status{}, err
	}
	defer l.mu.Unlock()
	s := Status{Entries: len(l.byID), Bytes: l.bytes, Dead: len(l.dead)}
	for _, e := range l.byID {
		if s.Oldest.IsZero() || e.Enqueued.Before(s.Oldest) {
			s.Oldest = e.Enqueued
		}
	}
	return s, nil
}

// dueOrders is a heap of orders, by when they are due.
type dueOrders []*order

func (d dueOrders) Len() int { return len(d) }

func (d dueOrders) Less(i, j int) bool {
	if order := d[i].due.Compare(d[j].due); order != 0 {
		return order < 0
	}
	return d[i].entries[0].Seq < d[j].entries[0].Seq
}

func (d dueOrders) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].at, d[j].at = i, j
}

// Push implements heap.Interface.
func (d *dueOrders) Push(o any) {
	pushed := o.(*order)
	pushed.at = len(*d)
	*d = append(*d, pushed)
}

// Pop implements heap.Interface.
func (d *dueOrders) Pop() any {
	last := len(*d) - 1
	o := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return o
}
