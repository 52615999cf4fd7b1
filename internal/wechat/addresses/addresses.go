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
	// life is how long they are known if no fetch succeeds.
	life = 3 * 24 * time.Hour
	// maxAddresses bounds the list. WeChat has some hundred addresses.
	maxAddresses = 10_000
)

// List is a list of addresses, which the zero value does not know yet. It is safe for
// concurrent use.
type List struct {
	mu      sync.Mutex // guards all below
	list    []netip.Prefix
	fetched time.Time // zero until it is known
	due     time.Time // of the next fetch
	running bool
}

// Contains reports whether an address is in the list, as far as the list is known. If a fetch
// is due, it calls start, which must not wait; it reports whether it started one, whose result
// goes to [List.Land].
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

// Land stores the result of a fetch. After a failure the old list stays.
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

// Parse reads a list of addresses, and of networks in CIDR notation. An empty one would refuse
// WeChat itself.
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
