package redis

import (
	_ "embed" // the scripts
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

// expirySlack is how much longer than needed a key is kept. What is over is
// refused by our clock and not by Redis's; that the two drift apart must not cut
// anything short.
const expirySlack = time.Minute

// sealedPrefix is how much of a sealed record is compared to see whether it is
// still the same one: its salt and nonce are in there, and never used twice.
const sealedPrefix = 33

// step collects what one run of step.lua checks and does.
type step struct {
	keys    []string
	checks  int
	checked []string
	changes []string
	ends    bool // that is what it is for
}

func newStep() *step { return new(step) }

func (s *step) args() []string {
	return slices.Concat([]string{strconv.Itoa(s.checks)}, s.checked, s.changes)
}

func (s *step) key(key string) string {
	i := slices.Index(s.keys, key)
	if i < 0 {
		i = len(s.keys)
		s.keys = append(s.keys, key)
	}
	return strconv.Itoa(i + 1)
}

// holds checks that a string still begins as it did; an empty one, that there is
// still none.
func (s *step) holds(key, was string) {
	s.checks++
	s.checked = append(s.checked, s.key(key), "", was[:min(len(was), sealedPrefix)])
}

// holdsField checks the field of a hash.
func (s *step) holdsField(key, field, was string) {
	s.checks++
	s.checked = append(s.checked, s.key(key), field, was)
}

func (s *step) change(name, key string, args ...string) {
	s.changes = append(append(s.changes, name, s.key(key)), args...)
}

func (s *step) set(key, value string, life time.Duration) {
	s.change("set", key, value, millis(life+expirySlack))
}

func (s *step) delete(key string) { s.change("del", key) }

func (s *step) setField(key, field, value string) { s.change("hset", key, field, value) }

func (s *step) deleteField(key, field string) { s.change("hdel", key, field) }

// keep has a key that is there live at least so long.
func (s *step) keep(key string, life time.Duration) {
	s.change("keep", key, millis(life+expirySlack))
}

// grow raises a number that is lower, and has it live at least so long.
func (s *step) grow(key string, n int64, life time.Duration) {
	s.change("grow", key, strconv.FormatInt(n, 10), millis(life+expirySlack))
}

// millis is a duration as Redis takes it. What is over already lives a moment.
func millis(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Millisecond-1)/time.Millisecond)), 10)
}

// The scripts run in Redis, each as one atomic step. Their first line has Redis
// look before it runs one whether it may: a script that writes is refused whole
// by a server that is full or only a replica.
var (
	//go:embed lua/step.lua
	stepSource string
	//go:embed lua/tails.lua
	tailsSource string
	//go:embed lua/swap.lua
	swapSource string
	//go:embed lua/release.lua
	releaseSource string
	//go:embed lua/take.lua
	takeSource string

	scriptStep = connection.NewScript(stepSource)
	// scriptEnd is a step that ends something. It runs when memory is full, too:
	// what it ends gives back more than a revocation takes.
	scriptEnd     = connection.NewScript(strings.Replace(stepSource, "#!lua\n", "#!lua flags=allow-oom\n", 1))
	scriptTails   = connection.NewScript(tailsSource)
	scriptSwap    = connection.NewScript(swapSource)
	scriptRelease = connection.NewScript(releaseSource)
	scriptTake    = connection.NewScript(takeSource)
)
