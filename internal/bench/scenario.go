package bench

import "time"

// scenario describes the measurements of a run.
type scenario struct {
	name, short string
	unit        string        // one operation
	targets     []string      // the targets of every run
	baseline    string        // of the ratios
	tokens      int           // default
	duration    time.Duration // default
	caddy       bool          // needs a stock Caddy
	proxies     bool          // requests go to the upstream, so that peers may take part
}

// The names of the targets that wxgate bench starts.
const (
	bare     = "bare"     // this binary, reverse_proxy without wxgate
	guarded  = "guarded"  // this binary, reverse_proxy behind wxgate
	standard = "standard" // guarded, with Caddy's transport, like bare
	cached   = "cached"   // guarded, for requests with few tokens
	shipped  = "shipped"  // this binary with Caddyfile.example
	populous = "populous" // guarded, with --sessions and --revocations in its store
	stock    = "caddy"    // --caddy, reverse_proxy
)

const (
	// fewTokens are cached soon after the start.
	fewTokens = 200
	// manyTokens fit into the gateway's cache, but not into the processor's.
	manyTokens = 10_000
	// newTokens do not fit into the cache: used in turn, each token is new to the cache.
	newTokens = 150_000
)

// In loginScenario callers log in, and in idleScenario there are no callers.
const (
	loginScenario   = "login"
	refreshScenario = "refresh"
	idleScenario    = "idle"
)

// scenarios has the scenarios, the default first.
var scenarios = []scenario{
	{
		name: "requests", short: "Authenticated requests with 200 tokens, against the same binary without wxgate",
		unit: "request", targets: []string{bare, standard, guarded}, baseline: bare, tokens: fewTokens, duration: 2400 * time.Millisecond, proxies: true,
	},
	{
		name: "many-tokens", short: "The same with 10,000 tokens in turn",
		unit: "request", targets: []string{bare, standard, guarded}, baseline: bare, tokens: manyTokens, duration: 2400 * time.Millisecond, proxies: true,
	},
	{
		name: "new-tokens", short: "150,000 tokens in turn, more than the cache keeps, against 200",
		unit: "request", targets: []string{cached, guarded, bare}, baseline: cached, tokens: newTokens, duration: 2400 * time.Millisecond, proxies: true,
	},
	{
		name: shipped, short: "Caddyfile.example with 200 tokens, against a stock Caddy (--caddy)",
		unit: "request", targets: []string{shipped}, baseline: stock, tokens: fewTokens, duration: 3500 * time.Millisecond, proxies: true, caddy: true,
	},
	{
		name: loginScenario, short: "Logins, each with a new code of the simulator and a session on disk",
		unit: "login", targets: []string{guarded}, baseline: guarded, duration: 5 * time.Second,
	},
	{
		name: refreshScenario, short: "Refreshes, each on disk",
		unit: "refresh", targets: []string{guarded}, baseline: guarded, duration: 5 * time.Second,
	},
	{
		name: idleScenario, short: "Time until a started process serves, and its memory after --duration",
		unit: "start", targets: []string{bare, guarded}, baseline: bare, duration: time.Second,
	},
}

// A ScenarioInfo describes a scenario for users.
type ScenarioInfo struct{ Name, Short string }

// Scenarios lists the scenarios, the default first.
func Scenarios() []ScenarioInfo {
	var infos []ScenarioInfo
	for _, s := range scenarios {
		infos = append(infos, ScenarioInfo{s.name, s.short})
	}
	return infos
}

// ScenarioNames lists the names of the scenarios, the default first.
func ScenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}
