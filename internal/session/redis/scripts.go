package redis

import (
	"crypto/sha1" //nolint:gosec // G505: what Redis names scripts by
	_ "embed"     // the scripts
	"encoding/hex"
	"strings"

	"github.com/redis/rueidis"
)

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

	scriptStep = newScript(stepSource)
	// scriptEnd is a step that ends something. It runs when memory is full, too:
	// what it ends gives back more than a revocation takes.
	scriptEnd     = newScript(strings.Replace(stepSource, "#!lua\n", "#!lua flags=allow-oom\n", 1))
	scriptTails   = newScript(tailsSource)
	scriptSwap    = newScript(swapSource)
	scriptRelease = newScript(releaseSource)
	scriptTake    = newScript(takeSource)
)

// script is sent by its hash and, to a server that does not know it (after a
// restart, a failover or SCRIPT FLUSH), whole.
type script struct{ source, sha string }

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // G401: what Redis names scripts by
	return script{source: source, sha: hex.EncodeToString(sum[:])}
}

func (s script) bySHA(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Evalsha().Sha1(s.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}

func (s script) whole(b rueidis.Builder, keys, args []string) rueidis.Completed {
	return b.Eval().Script(s.source).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}
