package redis

import (
	_ "embed" // the scripts
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

// expirySlack is how much longer than needed a key is kept. This process decides by its
// clock what has ended, so a difference between its clock and that of Redis must not delete
// keys early.
const expirySlack = time.Minute

// sealedPrefix is how many bytes of a sealed record are compared to detect a change. They
// include its salt and nonce, which are never used twice.
const sealedPrefix = 33

// step collects the checks and changes of one run of step.lua.
type step struct {
	keys    []string
	checks  int
	checked []string
	changes []string
	ends    bool // it ends a session
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

// holds checks that the beginning of a string has not changed; if was is empty, that there
// is no string.
func (s *step) holds(key, was string) {
	s.checks++
	s.checked = append(s.checked, s.key(key), "", was[:min(len(was), sealedPrefix)])
}

// holdsField checks that a field of a hash has not changed.
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

// keep extends the life of an existing key to at least life.
func (s *step) keep(key string, life time.Duration) {
	s.change("keep", key, millis(life+expirySlack))
}

// grow raises a number to n unless it is higher, and extends its life to at least life.
func (s *step) grow(key string, n int64, life time.Duration) {
	s.change("grow", key, strconv.FormatInt(n, 10), millis(life+expirySlack))
}

// millis returns a duration in milliseconds, at least one: Redis refuses others.
func millis(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Millisecond-1)/time.Millisecond)), 10)
}

// The scripts run in Redis, each as one atomic step. Because of their first line, Redis
// checks before it runs a script whether it may write: a server that is full or a replica
// refuses all of it.
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
	// scriptEnd is a step that ends sessions. It also runs if memory is full: an ended
	// session frees more than a revocation needs.
	scriptEnd     = connection.NewScript(strings.Replace(stepSource, "#!lua\n", "#!lua flags=allow-oom\n", 1))
	scriptTails   = connection.NewScript(tailsSource)
	scriptSwap    = connection.NewScript(swapSource)
	scriptRelease = connection.NewScript(releaseSource)
	scriptTake    = connection.NewScript(takeSource)
)
