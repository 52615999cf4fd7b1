package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// revokers is how many clients log out at once while propagation is measured.
const revokers = 4

// propagate logs sessions out at one replica without other load, and measures how long after
// the response each other replica still admits them. It also checks the replicas' own metric of
// received revocations.
func (f *fleet) propagate(logouts int) {
	f.t.Helper()
	var (
		mu    sync.Mutex
		took  []time.Duration
		group sync.WaitGroup
	)
	for range revokers {
		group.Go(func() {
			for range logouts / revokers {
				delays, err := f.revokeOne()
				if err != nil {
					f.wrong("propagation", err)
					return
				}
				mu.Lock()
				took = append(took, delays...)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(took) == 0 {
		f.t.Fatal("nothing was measured")
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)-1)*percent/100] }
	f.t.Logf("%8d revocations received: p50 %v, p99 %v, max %v", len(took), at(50), at(99), at(100))
	if at(99) >= receivedWithin {
		f.t.Errorf("the 99th percentile is %v, want less than %v", at(99), receivedWithin)
	}
	counted := 0
	for _, g := range f.replicas {
		counted += f.receivedBy(g)
	}
	if want := len(took); counted < want {
		f.t.Errorf("the replicas' histograms have %d revocations of other replicas, want %d", counted, want)
	}
}

// revokeOne logs one session out, and returns how long after the response each other replica
// first refused its token.
func (f *fleet) revokeOne() ([]time.Duration, error) {
	here := rand.IntN(replicas)
	p, _, err := f.loginAt(f.replicas[here])
	if err != nil {
		return nil, err
	}
	for _, g := range f.replicas { // every replica caches the token
		if r := g.send(http.MethodGet, "/orders", "", p.Access); r.status != http.StatusOK {
			return nil, r.unexpected()
		}
	}
	ended := f.replicas[here].send(http.MethodPost, pub+"/logout", "", p.Access)
	if ended.status != http.StatusNoContent {
		return nil, ended.unexpected()
	}
	delays := make([]time.Duration, replicas)
	var group sync.WaitGroup
	for i, g := range f.replicas {
		group.Go(func() { delays[i] = firstRefusal(g, p.Access, ended.came) })
	}
	group.Wait()
	if delays[here] < 0 || slices.Min(delays) < 0 {
		return nil, fmt.Errorf("a replica admitted the token for all of %v", readyWithin)
	}
	return slices.Delete(delays, here, here+1), nil
}

// firstRefusal returns how long after since a replica's first 401 came, or -1 if there was none.
func firstRefusal(g *gateway, token string, since time.Time) time.Duration {
	for time.Since(since) < readyWithin {
		if r := g.send(http.MethodGet, "/orders", "", token); r.status == http.StatusUnauthorized {
			return r.came.Sub(since)
		}
		<-time.After(time.Millisecond)
	}
	return -1
}

// receivedBy returns how many revocations of other replicas a replica has counted.
func (f *fleet) receivedBy(g *gateway) int {
	const count = "wxgate_revocation_seconds_count "
	r := g.operate(http.MethodGet, "/metrics", "", nil)
	_, rest, ok := strings.Cut(r.body, "\n"+count)
	if !ok {
		f.wrong("metrics", fmt.Errorf("no %s", count))
		return 0
	}
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(line, 64)
	if err != nil {
		f.wrong("metrics", err)
	}
	return int(n)
}
