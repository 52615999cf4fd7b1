package queuetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/queue"
)

// Deliveries checks that no two claimers deliver an order at once, and that each order is
// delivered first to last. It is safe for concurrent use.
type Deliveries struct {
	mu    sync.Mutex
	under map[string]bool
	last  map[string]int
	count int
}

// Reached reports whether n entries were delivered.
func (d *Deliveries) Reached(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count >= n
}

// Begin records that the delivery of the nth entry of an order begins.
func (d *Deliveries) Begin(t testing.TB, order string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.under == nil {
		d.under, d.last = make(map[string]bool), make(map[string]int)
	}
	if d.under[order] {
		t.Errorf("two deliver order %s at once", order)
	}
	if n != d.last[order]+1 {
		t.Errorf("entry %d of order %s came after entry %d", n, order, d.last[order])
	}
	d.under[order], d.last[order] = true, n
}

// End records that a delivery has ended. It must be called before the store is updated.
func (d *Deliveries) End(order string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.under[order] = false
	d.count++
}

// testClaimers: many claim at once, but each order is delivered by one claimer at a time.
func testClaimers(t *testing.T, open Open) {
	const orders, each, claimers = 5, 20, 8
	s := open(t, roomy)
	for n := range each {
		for o := range orders {
			appendAll(t, s, entry(fmt.Sprint(o), fmt.Sprintf("%d-%d", o, n+1)))
		}
	}
	var d Deliveries
	var all sync.WaitGroup
	for range claimers {
		all.Go(func() { deliverAll(t, s, &d, orders*each) })
	}
	all.Wait()
	wantStatus(t, s, 0, 0)
}

// deliverAll claims and delivers until all n entries were delivered.
func deliverAll(t testing.TB, s queue.Store, d *Deliveries, n int) {
	for !d.Reached(n) {
		e, _, err := s.Claim(t.Context(), longLease)
		if err != nil {
			t.Error(err)
			return
		}
		if e == nil {
			continue // other claimers have all orders
		}
		var o, place int
		if _, err := fmt.Sscanf(e.ID, "%d-%d", &o, &place); err != nil {
			t.Error(err)
			return
		}
		d.Begin(t, e.Order, place)
		d.End(e.Order)
		if err := s.Done(t.Context(), e); err != nil {
			t.Error(err)
			return
		}
	}
}
