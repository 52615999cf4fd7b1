// Package addresses remembers the addresses from which WeChat's servers call. It makes no
// calls itself.
package addresses

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// every is how long WeChat's addresses are used before they are fetched again. WeChat
	// recommends once a day, and limits the number of calls.
	every = 12 * time.Hour
	// retry is the least time between two fetches after a failure.
	retry = 10 * time.Minute
	// life is how long the addresses are used if no fetch succeeds.
	life = 3 * 24 * time.Hour
	// maxAddresses bounds the list. WeChat has some hundred addresses.
	maxAddresses = 10_000
)

// List is a list of addresses. The zero value is a list that has not been fetched yet. It is
// safe for concurrent use.
type List struct {
	mu      sync.Mutex // guards all below
	list    []netip.Prefix
	fetched time.Time // zero until the first successful fetch
	due     time.Time // of the next fetch
	running bool
}

// Contains reports whether an address is in the list. known is false if no fetch has succeeded
// recently. If a fetch is due, Contains calls start, which must not block. start reports
// whether it started a fetch. The result of the fetch must be passed to [List.Land].
func (l *List) Contains(addr netip.Addr, now time.Time, start func() (started bool)) (known, contains bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running && !now.Before(l.due) {
		l.running = start()
	}
	if l.fetched.IsZero() || now.Sub(l.fetched) >= life {
		return false, false
	}
	addr = addr.Unmap().WithZone("")
	for _, prefix := range l.list {
		if prefix.Contains(addr) {
			return true, true
		}
	}
	return true, false
}

// Land stores the result of a fetch. After a failure the old list is kept.
func (l *List) Land(now time.Time, list []netip.Prefix, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = false
	if err != nil {
		l.due = now.Add(retry)
		return
	}
	l.list, l.fetched, l.due = list, now, now.Add(every)
}

// Parse reads a list of addresses and networks in CIDR notation. An empty list is an error:
// with it, every call of WeChat would be refused.
func Parse(texts []string) ([]netip.Prefix, bool) {
	if len(texts) == 0 || len(texts) > maxAddresses {
		return nil, false
	}
	list := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return nil, false
			}
			addr = addr.Unmap()
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, prefix)
	}
	return list, true
}
