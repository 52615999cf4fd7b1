// Package step has the steps that change a store in Redis. Each step is one script, which first
// checks that the values that were read have not changed. Steps of one process take turns.
package step

import (
	_ "embed" // the scripts
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/session/redis/connection"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
)

// Slack is how much longer than needed a key is kept. This process decides by its own clock
// what has ended; a difference from the clock of Redis must not delete keys early.
const Slack = time.Minute

// sealedPrefix is how many bytes of a sealed record are compared to detect a change. They
// include its salt and nonce, which are never used twice.
const sealedPrefix = 33

// Step collects the checks and changes of one run of step.lua.
type Step struct {
	Keys    []string // KEYS of the script
	checks  int
	checked []string
	changes []string
	Ends    bool // the step ends a session
}

// New returns a step that does nothing yet.
func New() *Step { return new(Step) }

// Args returns ARGV of the script.
func (s *Step) Args() []string {
	return slices.Concat([]string{strconv.Itoa(s.checks)}, s.checked, s.changes)
}

func (s *Step) key(key string) string {
	i := slices.Index(s.Keys, key)
	if i < 0 {
		i = len(s.Keys)
		s.Keys = append(s.Keys, key)
	}
	return strconv.Itoa(i + 1)
}

// Expect checks that the beginning of a string has not changed; if was is empty, that there
// is no string.
func (s *Step) Expect(key, was string) {
	s.checks++
	s.checked = append(s.checked, s.key(key), "", was[:min(len(was), sealedPrefix)])
}

// ExpectField checks that a field of a hash has not changed.
func (s *Step) ExpectField(key, field, was string) {
	s.checks++
	s.checked = append(s.checked, s.key(key), field, was)
}

// Change adds a change of step.lua by its name.
func (s *Step) Change(name, key string, args ...string) {
	s.changes = append(append(s.changes, name, s.key(key)), args...)
}

// Set sets a string, which expires after life.
func (s *Step) Set(key, value string, life time.Duration) {
	s.Change("set", key, value, Millis(life+Slack))
}

// Delete deletes a key.
func (s *Step) Delete(key string) { s.Change("del", key) }

// SetField sets a field of a hash.
func (s *Step) SetField(key, field, value string) { s.Change("hset", key, field, value) }

// DeleteField deletes a field of a hash.
func (s *Step) DeleteField(key, field string) { s.Change("hdel", key, field) }

// Keep extends the life of an existing key to at least life.
func (s *Step) Keep(key string, life time.Duration) {
	s.Change("keep", key, Millis(life+Slack))
}

// Grow raises a number to n unless it is higher, and extends its life to at least life.
func (s *Step) Grow(key string, n int64, life time.Duration) {
	s.Change("grow", key, strconv.FormatInt(n, 10), Millis(life+Slack))
}

// ListPerson lists a user in a hash of a person's users, for at least life.
func (s *Step) ListPerson(key, user string, life time.Duration) {
	s.Change("person", key, user, Millis(life+Slack))
}

// Count lists a session in a sorted set until it ends, and its user in another set at least as
// long. A new session also removes a few members that have ended at now.
func (s *Step) Count(sessions, users, id, user string, end, now time.Time) {
	s.Change("count", sessions, s.key(users), id, user, layout.MillisUp(end), Millis(end.Sub(now)+Slack), layout.Millis(now))
}

// Recount changes until when a user is listed in a sorted set, if listed there: until the last
// of the user's remaining sessions ends.
func (s *Step) Recount(users, user string, end time.Time) {
	s.Change("recount", users, user, layout.MillisUp(end))
}

// Uncount removes a member of a sorted set.
func (s *Step) Uncount(key, member string) { s.Change("uncount", key, member) }

// ForgetEnded removes all members of a sorted set that have ended at now. [Step.Count] leaves
// only a few of them.
func (s *Step) ForgetEnded(key string, now time.Time) { s.Change("forget", key, layout.Millis(now)) }

// Millis returns a duration in milliseconds, at least one: Redis refuses a smaller number.
func Millis(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Millisecond-1)/time.Millisecond)), 10)
}

// The scripts run in Redis, each as one atomic step. Because of their first line, Redis checks
// whether a script may write before it runs the script: a full server or a replica refuses
// the whole script.
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

	Script = connection.NewScript(stepSource)
	// ScriptEnd is a step that ends sessions. It also runs if memory is full: an ended
	// session frees more than a revocation needs.
	ScriptEnd     = connection.NewScript(strings.Replace(stepSource, "#!lua\n", "#!lua flags=allow-oom\n", 1))
	ScriptTails   = connection.NewScript(tailsSource)
	ScriptSwap    = connection.NewScript(swapSource)
	ScriptRelease = connection.NewScript(releaseSource)
	ScriptTake    = connection.NewScript(takeSource)
)
