package internal_test

import (
	"slices"
	"strings"
	"testing"
)

const caddyModules = "github.com/caddyserver/"

// A layer is a folder with everything below it, and what it may import.
type layer struct {
	dir     string
	alone   bool     // without the folders below it, which need layers themselves
	imports []string // layers, by dir
	tests   []string // more of them, for its tests
	stdOnly bool     // nothing from other modules; tests may use test libraries
	caddy   bool     // may import Caddy
	only    []string // with libraries: these, by the beginnings of their paths, and no others
}

// simulator is what the tests of every other layer may import, with its listeners.
const simulator = "internal/wechatsim"

// The packages of the attacks.
const (
	attack     = "internal/attack"
	corpus     = attack + "/corpus"
	onBrowsers = attack + "/browsers"
	upstream   = attack + "/upstream"
	wire       = attack + "/wire"
)

// The packages of the simulator: what its responses look like, and its listeners.
const (
	simProtocol = simulator + "/protocol"
	simServer   = simulator + "/simserver"
	simExpiring = simulator + "/expiring"
	simSealing  = simulator + "/sealing"
	simSecurity = simulator + "/apisecurity"
	simFault    = simulator + "/fault"
	simLog      = simulator + "/requestlog"
	simPush     = simulator + "/simpush"    // what WeChat pushes
	standalone  = simulator + "/standalone" // what wxgate sim adds
	simPage     = simulator + "/simserver/page"
	simTest     = simulator + "/simtest" // what its tests share
	simPrefetch = simulator + "/simprefetch"
	simPhone    = simulator + "/phonenumber"
	simTarget   = simulator + "/pushtarget"
	simCalls    = simulator + "/simcalls" // further calls with an access token
	simProxy    = simulator + "/simproxy" // for SDKs whose URLs are fixed
	simServing  = simulator + "/serving"  // what the listeners share
	simWeb      = simulator + "/simweb"   // web logins, and codes that open a mini program
)

// simulated are what every test may use, beside the simulator itself.
var simulated = []string{simServer, simFault, simLog, simPush, simSecurity, simWeb}

// The packages of the benchmark.
const (
	benchmark    = "internal/bench"
	benchLoad    = benchmark + "/load"
	benchProcess = benchmark + "/process"
	benchReport  = benchmark + "/report"
	benchSeed    = benchmark + "/seed"
)

const (
	kit         = "internal/session"
	suite       = kit + "/sessiontest"
	suiteLimits = suite + "/limits"
	suiteCounts = suite + "/counts"

	redisStore      = kit + "/redis"
	redisConnection = redisStore + "/connection"
	redisScan       = redisStore + "/scan"
	redisLayout     = redisStore + "/layout"
	redisStep       = redisStore + "/step"
	redisStream     = redisStore + "/stream"
	redisUserData   = redisStore + "/userdata"
	redisTest       = redisStore + "/redistest" // what tests beside the store share
)

// The durable queue, and the events that are sent by it.
const (
	queues    = "internal/queue"
	queueTest = queues + "/queuetest" // the tests of its stores
	webhook   = queues + "/webhook"   // how services are sent messages
	secEvents = "internal/secevent"
	pushing   = "internal/push"
	replies   = pushing + "/redisreplies" // the replies of services, for all machines
)

// The counts of paid calls.
const (
	budgets    = "internal/budget"
	budgetTest = budgets + "/budgettest" // the tests of its stores
)

// The sign-in of browsers, and the stores of its short-lived records.
const (
	browsers    = "internal/web"
	recordsTest = browsers + "/recordstest" // the tests of these stores
)

// The packages of the client of WeChat.
const (
	weChat      = "internal/wechat"
	callback    = weChat + "/callback"
	apiSecurity = weChat + "/apisecurity"
	openData    = weChat + "/opendata"
	platform    = weChat + "/platform"
	testPhone   = weChat + "/testphone"
	weAddresses = weChat + "/addresses"
	weGuard     = weChat + "/guard"
	weRedact    = weChat + "/redact"
)

// The packages of access tokens and of their keys.
const (
	tokens    = "internal/token"
	keyring   = tokens + "/keyring"
	signing   = tokens + "/signing"
	tokenTest = tokens + "/tokentest" // what their tests share
)

// storeImports is what each store imports.
var storeImports = []string{kit, "internal/auth", "internal/seal"}

// demoPage is the playground of `wxgate dev`. It calls the others over HTTP.
const demoPage = "internal/demo/playground"

// demoDescribe says what the playground shows of a request.
const demoDescribe = "internal/demo/playground/describe"

// demoService is what is behind the gateway of `wxgate dev`.
const demoService = "internal/demo/service"

// browser opens pages in a real browser, for tests.
const browser = "internal/chromium"

// browserPage has the pages that browsers see while a user signs in.
const browserPage = browserSite + "/page"

// browserSite has the calls of browsers.
const browserSite = "internal/gateway/browser"

// adminAPI has the calls of operators.
const adminAPI = "internal/adminapi"

// rooms are the packages below caddymodule, each of which knows Caddy.
const rooms = "caddymodule"

// layers is the house: cmd -> caddymodule -> {handler, openapi, admin, command} -> {app,
// proxylog} -> gateway -> edge -> problem -> auth, and app -> {wechat, token, session/*} ->
// {auth, seal}. A new package belongs to one of them, or gets a line here and in
// docs/architecture.md.
var layers = []layer{
	{dir: "cmd", imports: []string{rooms, rooms + "/configfile", rooms + "/command", rooms + "/usage", "internal/garbage", "internal/version"}, caddy: true, tests: []string{
		browser, "internal/freeport", "internal/auth", "internal/seal", tokens, keyring, kit, kit + "/bolt", // to verify the tokens of earlier versions
	}},
	{dir: rooms, alone: true, caddy: true, imports: []string{
		rooms + "/handler", rooms + "/openapi", rooms + "/admin", rooms + "/command", rooms + "/app", rooms + "/proxylog",
	}, tests: []string{
		rooms + "/events", "internal/audit", "internal/auth", "internal/doctor", "internal/edge", "internal/gateway", tokens, weChat, attack, corpus, wire, kit, kit + "/bolt", simPrefetch, "internal/freeport",
	}},
	{dir: rooms + "/handler", caddy: true, imports: []string{
		rooms + "/app", rooms + "/proxylog", rooms + "/request", rooms + "/directive", rooms + "/secret",
		"internal/gateway", browserSite, browserPage, "internal/gateway/cors", "internal/gateway/envelope", "internal/gateway/limit", "internal/gateway/metadata", "internal/gateway/prefetch", "internal/gateway/wafer", "internal/edge", weChat, "internal/auth",
	}},
	{dir: rooms + "/openapi", caddy: true, imports: []string{
		rooms + "/app", rooms + "/request", rooms + "/directive",
		"internal/openapi", "internal/metrics", "internal/edge", "internal/problem", "internal/auth",
	}},
	{dir: rooms + "/admin", caddy: true, imports: []string{rooms + "/app", rooms + "/configfile", rooms + "/usage", adminAPI, "internal/table", "internal/gateway", keyring, "internal/auth"}},
	{dir: rooms + "/command", caddy: true, imports: []string{
		rooms + "/app", rooms + "/offline", rooms + "/configfile", rooms + "/admin", rooms + "/usage", "internal/demo", demoPage, demoService, "internal/table", "internal/doctor", attack, corpus, wire, benchmark, benchLoad, benchReport,
		"internal/gateway", kit + "/bolt", simulator, simServer, simProxy, standalone, adminAPI, "internal/version",
	}},
	{dir: rooms + "/app", caddy: true, imports: []string{
		rooms + "/directive", rooms + "/events", rooms + "/miniprogram", rooms + "/pushes", rooms + "/queues", rooms + "/secret", rooms + "/redisstore", rooms + "/storage",
		"internal/gateway", "internal/gateway/failures", "internal/audit", "internal/metrics", "internal/traces", "internal/version", weChat, callback, tokens, keyring, signing,
		kit, kit + "/bolt", kit + "/memory", redisStore, queues, queues + "/boltqueue", queues + "/redisqueue", secEvents, pushing, replies,
		budgets, budgets + "/boltbudget", budgets + "/redisbudget", browsers, browsers + "/boltrecords", browsers + "/redisrecords", "internal/auth", "internal/seal",
	}},
	{dir: rooms + "/miniprogram", caddy: true, imports: []string{
		rooms + "/directive", rooms + "/pushes", rooms + "/secret", "internal/metrics", "internal/traces", weChat, apiSecurity, callback, testPhone, budgets, "internal/auth",
	}},
	{dir: rooms + "/events", caddy: true, imports: []string{
		rooms + "/directive", rooms + "/queues", rooms + "/secret", weChat, tokens, signing, queues, secEvents, "internal/seal",
	}},
	{dir: rooms + "/pushes", caddy: true, imports: []string{
		rooms + "/directive", rooms + "/queues", rooms + "/secret", weChat, tokens, keyring, signing, queues, pushing, "internal/auth", "internal/seal",
	}},
	{dir: rooms + "/queues", caddy: true, imports: []string{"internal/metrics", queues}},
	{dir: rooms + "/proxylog", caddy: true, imports: []string{rooms + "/request", "internal/edge", "internal/transport"}},
	{dir: rooms + "/request", caddy: true, imports: []string{"internal/gateway", "internal/edge", "internal/problem", "internal/auth"}},
	{dir: rooms + "/usage", caddy: true},
	{dir: rooms + "/offline", caddy: true, imports: []string{
		rooms + "/app", rooms + "/secret", rooms + "/redisstore", rooms + "/storage",
		"internal/storecopy", weChat, kit, kit + "/bolt", redisStore, "internal/auth", "internal/seal",
	}},
	{dir: rooms + "/storage", caddy: true},
	{dir: rooms + "/configfile", caddy: true},
	{dir: rooms + "/redisstore", caddy: true, imports: []string{rooms + "/directive", rooms + "/secret", redisStore}},
	{dir: rooms + "/directive", caddy: true, imports: []string{"internal/edge"}},
	{dir: rooms + "/secret", caddy: true},

	{dir: "internal/gateway", alone: true, imports: []string{
		"internal/gateway/cors", "internal/gateway/envelope", "internal/gateway/failures", "internal/gateway/limit", "internal/gateway/metadata", "internal/gateway/prefetch", "internal/gateway/wafer", "internal/gateway/writer", "internal/audit", "internal/metrics", "internal/edge", "internal/problem",
		weChat, callback, openData, tokens, keyring, kit, queues, pushing, browsers, browserSite, "internal/auth",
	}, tests: []string{kit + "/memory", "internal/seal", tokenTest, browserPage}},
	{dir: "internal/gateway/cors", imports: []string{"internal/gateway/writer", "internal/edge"}},
	{dir: "internal/gateway/failures", imports: []string{weChat, "internal/problem", "internal/auth"}},
	{dir: "internal/gateway/envelope", imports: []string{"internal/problem", "internal/auth"}},
	{dir: browserSite, alone: true, imports: []string{browserPage, "internal/edge", "internal/problem", browsers, weChat, "internal/auth"}},
	{dir: browserPage, imports: []string{"internal/problem"}, tests: []string{browser}},
	{dir: "internal/gateway/writer", imports: []string{"internal/edge", kit, "internal/auth"}},
	{dir: "internal/gateway/limit", imports: []string{"internal/metrics", "internal/problem", "internal/auth"}},
	{dir: "internal/gateway/metadata", imports: []string{"internal/edge"}},
	{dir: "internal/gateway/prefetch", imports: []string{"internal/edge", "internal/problem", "internal/auth"}},
	{dir: "internal/gateway/wafer", imports: []string{"internal/edge", "internal/problem", "internal/auth"}},
	{dir: "internal/openapi", imports: []string{"internal/edge", "internal/problem", weChat, "internal/auth"}},
	{dir: "internal/audit", imports: []string{"internal/auth"}},
	{dir: "internal/metrics", imports: []string{"internal/problem", weChat, platform, "internal/auth"}},
	{dir: "internal/traces", imports: []string{"internal/metrics", weChat}, tests: []string{platform, "internal/auth"}},
	{dir: "internal/storecopy", imports: []string{"internal/table", kit, keyring, "internal/auth", "internal/seal"}, tests: []string{kit + "/memory"}},
	// The calls of operators, which know no server; and the tables of their commands.
	{dir: adminAPI, imports: []string{"internal/gateway", "internal/audit", "internal/metrics", "internal/version", keyring, signing, "internal/problem", queues, "internal/auth"}, tests: []string{weChat, tokens, tokenTest, kit, kit + "/memory", "internal/seal"}},
	{dir: "internal/table"},
	{dir: "internal/demo", alone: true, stdOnly: true},
	{dir: demoDescribe, alone: true, stdOnly: true},
	{dir: demoService, alone: true, only: []string{"github.com/coder/websocket"}},
	{dir: demoPage, imports: []string{demoDescribe, demoService, attack, corpus, wire}, only: []string{"github.com/coder/websocket", "go.uber.org/goleak"}},
	{dir: "internal/garbage", stdOnly: true},
	{dir: "internal/doctor", imports: []string{"internal/auth"}},
	{dir: "internal/version", stdOnly: true},
	{dir: "internal/freeport", stdOnly: true},
	{dir: browser, only: []string{"github.com/chromedp/"}},
	{dir: "internal/transport", only: []string{"golang.org/x/net/http/httpguts", "go.uber.org/goleak"}},
	{dir: "internal/edge", imports: []string{"internal/problem", "internal/auth"}, tests: []string{upstream}},
	{dir: "internal/problem", imports: []string{"internal/auth"}},
	// A client over packages that make no calls. What WeChat pushes is separate.
	{dir: weChat, alone: true, imports: []string{apiSecurity, openData, platform, testPhone, weAddresses, weGuard, weRedact, "internal/auth"}},
	{dir: weAddresses, stdOnly: true},
	{dir: weGuard, imports: []string{apiSecurity, platform, "internal/auth"}},
	{dir: weRedact, imports: []string{"internal/auth"}},
	{dir: apiSecurity, only: []string{"github.com/go-json-experiment/json"}},
	{dir: callback, imports: []string{"internal/auth"}},
	{dir: openData, imports: []string{"internal/auth"}},
	{dir: platform, imports: []string{"internal/auth"}},
	{dir: testPhone, imports: []string{"internal/auth"}},
	// Tokens over a key ring over keys. The ring's tests issue and verify tokens.
	{dir: tokens, alone: true, imports: []string{keyring, signing, "internal/auth", "internal/seal"}, tests: []string{tokenTest}},
	{dir: keyring, imports: []string{signing, "internal/auth", "internal/seal"}, tests: []string{tokens, tokenTest}},
	{dir: tokenTest, imports: []string{tokens, keyring, "internal/auth", "internal/seal"}},
	{dir: signing, imports: []string{"internal/auth"}},
	// A kit and three stores over it. The stores never import each other, and the
	// kit imports none of them. Their tests share one suite.
	{dir: kit, alone: true, imports: []string{"internal/auth", "internal/seal"}, tests: []string{suite}},
	{dir: kit + "/bolt", imports: storeImports, tests: []string{suite, suiteLimits, suiteCounts}},
	{dir: kit + "/memory", imports: storeImports, tests: []string{suite, suiteLimits, suiteCounts}},
	{dir: redisStore, alone: true, imports: append([]string{redisConnection, redisLayout, redisScan, redisStep, redisStream, redisUserData}, storeImports...), tests: []string{suite, suiteLimits, suiteCounts}},
	{dir: redisConnection},
	{dir: redisStep, imports: []string{redisConnection, redisLayout}},
	{dir: redisTest, imports: []string{redisStore, redisConnection, kit, suite}},
	{dir: redisUserData, imports: []string{redisLayout, redisStep, kit, "internal/auth"}},
	{dir: redisStream, imports: []string{kit, "internal/auth"}},
	{dir: redisScan, imports: []string{"internal/auth"}},
	{dir: redisLayout, imports: []string{kit, "internal/auth"}, tests: []string{suite}},
	// The suite's own tests copy one store into another.
	{dir: suiteLimits, imports: []string{"internal/auth", suite}},
	{dir: suiteCounts, imports: []string{kit, "internal/auth", suite}},
	{dir: suite, imports: storeImports, tests: []string{kit + "/bolt", redisStore}},
	// A queue, its stores in the file of sessions and in Redis, and what is sent by it.
	{dir: queues, alone: true, imports: []string{"internal/seal"}, tests: []string{queueTest}},
	{dir: queues + "/boltqueue", imports: []string{queues}, tests: []string{queueTest, kit, kit + "/bolt", suite}},
	{dir: queues + "/redisqueue", imports: []string{queues, redisConnection}, tests: []string{queueTest, kit, redisStore, redisTest, suite, "internal/seal"}},
	{dir: queueTest, imports: []string{queues}},
	// The counts of paid calls, and their stores in the file of sessions and in Redis.
	{dir: budgets, alone: true, imports: []string{"internal/auth"}, tests: []string{budgetTest}},
	{dir: budgets + "/boltbudget", imports: []string{budgets}, tests: []string{budgetTest, kit, kit + "/bolt", suite}},
	{dir: budgets + "/redisbudget", imports: []string{budgets, kit, redisConnection}, tests: []string{budgetTest, redisStore, redisTest, suite, "internal/auth"}},
	{dir: budgetTest, imports: []string{budgets}},
	// The sign-in of browsers. Its short-lived records are in the file of sessions and in Redis.
	{dir: browsers, alone: true, imports: []string{"internal/auth", "internal/seal"}, tests: []string{recordsTest, kit, kit + "/memory"}},
	{dir: browsers + "/boltrecords", imports: []string{browsers}, tests: []string{recordsTest, kit, kit + "/bolt", suite, "internal/auth"}},
	{dir: browsers + "/redisrecords", imports: []string{browsers, kit, redisConnection}, tests: []string{recordsTest, redisStore, redisTest, suite, "internal/auth"}},
	{dir: recordsTest, imports: []string{browsers, "internal/auth", "internal/seal"}},
	{dir: webhook, imports: []string{queues}},
	{dir: secEvents, imports: []string{queues, webhook, tokens, "internal/auth"}, tests: []string{tokenTest, keyring, signing}},
	{dir: pushing, imports: []string{queues, webhook, tokens, callback, "internal/auth", "internal/seal"}, tests: []string{queues + "/boltqueue", kit, kit + "/bolt", tokenTest, keyring, signing}},
	{dir: replies, imports: []string{redisConnection}, tests: []string{pushing, redisStore, kit, suite}},
	{dir: "internal/auth", stdOnly: true},
	{dir: "internal/seal", stdOnly: true},
	// The simulator reads WeChat's documentation, not our code: one misreading
	// cannot then pass on both sides.
	{dir: simulator, alone: true, imports: []string{simProtocol, simExpiring, simSealing, simSecurity, simFault, simLog, simPhone, simTarget, simWeb, simCalls}, tests: []string{simServer, simTest}, stdOnly: true},
	{dir: simProtocol, stdOnly: true},
	{dir: simPrefetch, imports: []string{simulator}, tests: []string{simServer}, stdOnly: true},
	{dir: simWeb, imports: []string{simProtocol, simExpiring}, tests: []string{simTest}, only: []string{"github.com/boombuler/barcode", "github.com/makiuchi-d/gozxing"}},
	{dir: simExpiring, stdOnly: true},
	{dir: simPhone, imports: []string{simProtocol}, stdOnly: true},
	{dir: simTarget, stdOnly: true},
	{dir: simSealing, stdOnly: true},
	{dir: simSecurity, stdOnly: true},
	{dir: simFault, imports: []string{simProtocol, simSecurity}, stdOnly: true},
	{dir: simLog, imports: []string{simProtocol, simFault}, stdOnly: true},
	{dir: simPush, imports: []string{simulator, simProtocol, simSealing}, stdOnly: true},
	{dir: simServing, stdOnly: true},
	{dir: simServer, alone: true, imports: []string{simulator, simServing, simPrefetch, simProtocol, simSecurity, simFault, simPush, simPage, simWeb}, tests: []string{simTest}, stdOnly: true},
	{dir: simPage, stdOnly: true},
	{dir: simCalls, imports: []string{simProtocol}, tests: []string{simulator, simServer, simTest}, stdOnly: true},
	{dir: simProxy, imports: []string{simulator, simServing}, tests: []string{simFault}, stdOnly: true},
	{dir: standalone, imports: []string{simulator, simSecurity, simWeb}, tests: []string{simServer}, only: []string{"github.com/go-json-experiment/json"}},
	{dir: simTest, imports: []string{simulator, simServer, simFault}, stdOnly: true},
	// The attacks read HTTP's specifications, not our code, for the same reason;
	// raw HTTP/2 and HTTP/3 need libraries that Caddy has anyway.
	{dir: attack, alone: true, imports: []string{corpus, onBrowsers, wire}, stdOnly: true},
	{dir: onBrowsers, imports: []string{corpus, upstream, wire}, tests: []string{attack}, stdOnly: true},
	{dir: corpus, imports: []string{upstream, wire}, stdOnly: true},
	{dir: upstream, stdOnly: true},
	{dir: wire, only: []string{"golang.org/x/net/", "github.com/quic-go/"}},
	// The benchmark measures processes from outside. Only what prepares their files knows
	// tokens and the store.
	{dir: benchmark, alone: true, imports: []string{benchLoad, benchProcess, benchReport, benchSeed, "internal/demo", "internal/version", simulator, "internal/auth"}},
	{dir: benchLoad, stdOnly: true},
	{dir: benchProcess, stdOnly: true},
	{dir: benchReport, stdOnly: true},
	{dir: benchSeed, imports: []string{tokens, keyring, kit, kit + "/bolt", "internal/auth", "internal/seal"}},
	{dir: "internal", alone: true}, // these tests
	// Modules of their own, so that their libraries are none of wxgate's.
	{dir: "deploy/image"},
	{dir: "deploy/manifests"},
	{dir: simulator + "/sdktest"},
}

// layerOf finds the innermost layer that holds dir.
func layerOf(dir string) (layer, bool) {
	var found layer
	for _, l := range layers {
		if (dir == l.dir || strings.HasPrefix(dir, l.dir+"/")) && len(l.dir) > len(found.dir) {
			found = l
		}
	}
	// A new package below such a layer has to be given a place.
	if found.alone && dir != found.dir {
		return layer{}, false
	}
	return found, found.dir != ""
}

// An edge is one file's import of one package.
type edge struct {
	dir  string // the importing package's
	path string
	test bool // the importing file is a test
}

// violation says why an import is forbidden, or "".
func violation(e edge) string {
	from, ok := layerOf(e.dir)
	if !ok {
		return "the package has no layer: give it one in layers_test.go and in the design"
	}
	if local, ok := strings.CutPrefix(e.path, modulePath+"/"); ok || e.path == modulePath {
		return localViolation(from, local, e.test)
	}
	first, _, _ := strings.Cut(e.path, "/")
	switch {
	case !strings.Contains(first, "."):
		return "" // the standard library
	case strings.HasPrefix(e.path, caddyModules) && !from.caddy:
		return "only cmd and the packages of caddymodule know Caddy"
	case from.stdOnly && !e.test:
		return from.dir + " imports the standard library alone"
	case from.only != nil && !slices.ContainsFunc(from.only, func(p string) bool { return strings.HasPrefix(e.path, p) }):
		return from.dir + " imports, beside the standard library, only " + strings.Join(from.only, ", ")
	}
	return ""
}

func localViolation(from layer, dir string, test bool) string {
	to, ok := layerOf(dir)
	switch {
	case !ok:
		return "it imports a package that has no layer"
	case to.dir == from.dir || slices.Contains(from.imports, to.dir):
		return ""
	case test && (to.dir == simulator || slices.Contains(simulated, to.dir) || slices.Contains(from.tests, to.dir)):
		return ""
	case len(from.imports) == 0:
		return from.dir + " imports nothing of ours"
	}
	return from.dir + " may import only " + strings.Join(from.imports, ", ")
}

func TestLayers(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sourceFiles(t) {
		from, _ := layerOf(f.dir)
		seen[from.dir] = true
		for _, path := range f.imports() {
			if why := violation(edge{dir: f.dir, path: path, test: f.test}); why != "" {
				t.Errorf("%s imports %s: %s", f.name, path, why)
			}
		}
	}
	// A walk that lost its way must not pass for a house in order.
	for _, dir := range []string{"cmd", rooms, rooms + "/app", "internal/gateway", "internal/auth", "internal/seal", wire, simulator} {
		if !seen[dir] {
			t.Errorf("no Go file found in %s", dir)
		}
	}
}

// The rules themselves: each line of the design has an import that breaks it.
func TestLayerRules(t *testing.T) {
	const ours = modulePath + "/"
	for _, test := range []struct {
		name    string
		edge    edge
		allowed bool
	}{
		{"cmd wires caddymodule", edge{dir: "cmd/wxgate", path: ours + "caddymodule"}, true},
		{"cmd adds the short commands", edge{dir: "cmd/wxgate", path: ours + "caddymodule/command"}, true},
		{"cmd configures", edge{dir: "cmd/wxgate", path: ours + "caddymodule/app"}, false},
		{"cmd reaches past caddymodule", edge{dir: "cmd/wxgate", path: ours + tokens}, false},
		{"caddymodule knows Caddy", edge{dir: "caddymodule", path: caddyModules + "caddy/v2"}, true},
		{"the import runs the simulator", edge{dir: "caddymodule", path: ours + simulator}, false},
		{"its test does", edge{dir: "caddymodule", path: ours + simulator, test: true}, true},
		{"wxgate dev runs the simulator", edge{dir: "caddymodule/command", path: ours + simulator}, true},
		{"a handler uses the app", edge{dir: "caddymodule/handler", path: ours + "caddymodule/app"}, true},
		{"the app knows a handler", edge{dir: "caddymodule/app", path: ours + "caddymodule/handler"}, false},
		{"a handler knows another", edge{dir: "caddymodule/openapi", path: ours + "caddymodule/handler"}, false},
		{"the transport knows the handler", edge{dir: "caddymodule/proxylog", path: ours + "caddymodule/handler"}, false},
		{"a room that has no layer", edge{dir: "caddymodule/util", path: "fmt"}, false},
		{"the gateway knows Caddy", edge{dir: "internal/gateway", path: caddyModules + "caddy/v2"}, false},
		{"its test knows Caddy", edge{dir: "internal/gateway", path: caddyModules + "caddy/v2", test: true}, false},
		{"the gateway knows its server", edge{dir: "internal/gateway", path: ours + "caddymodule/request"}, false},
		{"the gateway uses the edge", edge{dir: "internal/gateway", path: ours + "internal/edge"}, true},
		{"the edge knows the gateway", edge{dir: "internal/edge", path: ours + "internal/gateway"}, false},
		{"a middle layer knows Caddy", edge{dir: tokens, path: caddyModules + "caddy/v2"}, false},
		{"its test knows Caddy", edge{dir: tokens, path: caddyModules + "certmagic", test: true}, false},
		{"a middle layer uses a library", edge{dir: "internal/session", path: "go.etcd.io/bbolt"}, true},
		{"a middle layer uses the rules", edge{dir: "internal/session", path: ours + "internal/auth"}, true},
		{"a store uses the kit", edge{dir: kit + "/bolt", path: ours + kit}, true},
		{"the kit knows a store", edge{dir: kit, path: ours + kit + "/bolt"}, false},
		{"the kit's test knows a store", edge{dir: kit, path: ours + kit + "/memory", test: true}, false},
		{"a store knows another", edge{dir: redisStore, path: ours + kit + "/bolt"}, false},
		{"a store's test knows another", edge{dir: redisStore, path: ours + kit + "/memory", test: true}, false},
		{"a store's test runs the suite", edge{dir: redisStore, path: ours + suite, test: true}, true},
		{"the connection to Redis knows its store", edge{dir: redisConnection, path: ours + redisStore}, false},
		{"the connection to Redis knows the kit", edge{dir: redisConnection, path: ours + kit}, false},
		{"the app connects to Redis past the store", edge{dir: rooms + "/app", path: ours + redisConnection}, false},
		{"a store uses the suite", edge{dir: redisStore, path: ours + suite}, false},
		{"caddymodule uses the suite", edge{dir: "caddymodule", path: ours + suite}, false},
		{"the suite knows a store", edge{dir: suite, path: ours + kit + "/bolt"}, false},
		{"the suite's test copies a store", edge{dir: suite, path: ours + kit + "/bolt", test: true}, true},
		{"the ring uses keys", edge{dir: keyring, path: ours + signing}, true},
		{"the ring uses tokens", edge{dir: keyring, path: ours + tokens}, false},
		{"the ring's test uses tokens", edge{dir: keyring, path: ours + tokens, test: true}, true},
		{"keys use the ring", edge{dir: signing, path: ours + keyring, test: true}, false},
		{"siblings", edge{dir: tokens, path: ours + "internal/session"}, false},
		{"siblings by a sub-package", edge{dir: "internal/session/bolt", path: ours + tokens}, false},
		{"siblings in a test", edge{dir: weChat, path: ours + tokens, test: true}, false},
		{"a package of the client imports it", edge{dir: platform, path: ours + weChat}, false},
		{"a package of the client imports another", edge{dir: openData, path: ours + platform}, false},
		{"its test imports another", edge{dir: openData, path: ours + platform, test: true}, false},
		{"the gateway imports what the client hides", edge{dir: "internal/gateway", path: ours + platform}, false},
		{"upwards", edge{dir: weChat, path: ours + "caddymodule"}, false},
		{"the simulator in a test", edge{dir: weChat, path: ours + simulator, test: true}, true},
		{"the simulator in production", edge{dir: weChat, path: ours + simulator}, false},
		{"the simulator knows us", edge{dir: simulator, path: ours + weChat}, false},
		{"the simulator's test starts its listeners", edge{dir: simulator, path: ours + simServer, test: true}, true},
		{"the simulator starts its listeners", edge{dir: simulator, path: ours + simServer}, false},
		{"another test uses what its tests share", edge{dir: weChat, path: ours + simTest, test: true}, false},
		{"the simulator's responses know it", edge{dir: simProtocol, path: ours + simulator}, false},
		{"the listeners in a test", edge{dir: weChat, path: ours + simServer, test: true}, true},
		{"the responses in a test", edge{dir: weChat, path: ours + simProtocol, test: true}, false},
		{"the simulator's test knows us", edge{dir: simulator, path: ours + "internal/seal", test: true}, false},
		{"wxgate attack runs the attacks", edge{dir: "caddymodule/command", path: ours + attack}, true},
		{"another package runs the attacks", edge{dir: tokens, path: ours + attack}, false},
		{"cmd runs the attacks", edge{dir: "cmd/wxgate", path: ours + attack}, false},
		{"the attacks know us", edge{dir: corpus, path: ours + "internal/auth"}, false},
		{"the attacks know the simulator", edge{dir: corpus, path: ours + simulator}, false},
		{"the attacks use raw frames", edge{dir: wire, path: "golang.org/x/net/http2"}, true},
		{"the attacks use QUIC", edge{dir: wire, path: "github.com/quic-go/quic-go"}, true},
		{"the attacks use another library", edge{dir: wire, path: "github.com/golang-jwt/jwt/v5"}, false},
		{"the corpus uses raw frames", edge{dir: corpus, path: "golang.org/x/net/http2"}, false},
		{"what is sent knows the corpus", edge{dir: wire, path: ours + corpus}, false},
		{"the attacks know Caddy", edge{dir: wire, path: caddyModules + "caddy/v2"}, false},
		{"wxgate bench runs the benchmark", edge{dir: "caddymodule/command", path: ours + benchmark}, true},
		{"another package runs the benchmark", edge{dir: tokens, path: ours + benchmark}, false},
		{"the benchmark knows Caddy", edge{dir: benchmark, path: caddyModules + "caddy/v2"}, false},
		{"the benchmark knows the gateway", edge{dir: benchmark, path: ours + "internal/gateway"}, false},
		{"the load knows tokens", edge{dir: benchLoad, path: ours + tokens}, false},
		{"the reports use a library", edge{dir: benchReport, path: "go.etcd.io/bbolt"}, false},
		{"the seed fills a store", edge{dir: benchSeed, path: ours + kit + "/bolt"}, true},
		{"the queue knows its store", edge{dir: queues, path: ours + queues + "/boltqueue"}, false},
		{"the queue's store knows sessions", edge{dir: queues + "/boltqueue", path: ours + kit + "/bolt"}, false},
		{"the queue knows what it sends", edge{dir: queues, path: ours + secEvents}, false},
		{"a leaf uses a library", edge{dir: "internal/seal", path: "golang.org/x/crypto/hkdf"}, false},
		{"a leaf's test uses a library", edge{dir: "internal/seal", path: "pgregory.net/rapid", test: true}, true},
		{"a leaf uses the standard library", edge{dir: "internal/seal", path: "crypto/hkdf"}, true},
		{"the leaves know each other", edge{dir: "internal/auth", path: ours + "internal/seal"}, false},
		{"a name that only begins like one", edge{dir: "internal/authority", path: "fmt"}, false},
		{"a store that has no layer", edge{dir: kit + "/sql", path: "fmt"}, false},
		{"the kit uses it", edge{dir: kit, path: ours + kit + "/sql"}, false},
		{"a package without a layer", edge{dir: "internal/util", path: "fmt"}, false},
		{"an import of one", edge{dir: "caddymodule", path: ours + "internal/util"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			why := violation(test.edge)
			if allowed := why == ""; allowed != test.allowed {
				t.Errorf("%+v: allowed = %v (%s), want %v", test.edge, allowed, why, test.allowed)
			}
		})
	}
}
