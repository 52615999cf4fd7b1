package wechat_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/platform"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	// callDeadline is the deadline of one call in docs/wechat.md.
	callDeadline = 5 * time.Second
	// riskDeadline is the documented deadline of a request for a risk rank.
	riskDeadline = 2 * time.Second
	// upstreamPatience is how long an upstream waits for a forwarded call. The limit of Forward
	// is a minute, which is too long for a test.
	upstreamPatience = 2 * time.Second
	// slack is additional time for a slow machine.
	slack = 4 * time.Second
	// intoBody is 10 bytes after the beginning of a response's body, whose position is
	// measured.
	intoBody = -10
	// inBody is the network that closes the connection in a response's body.
	inBody = "closed in the middle of the body"
	// toxicAtOnce is how many bad networks are tested at the same time: most tests only wait.
	toxicAtOnce = 32
)

// badNetwork is one kind of bad network, and the outcome of a call over it.
type badNetwork struct {
	toxics  []toxic
	want    error
	arrives bool // the request reaches WeChat
	waits   bool // the call waits until its deadline
}

// badNetworks are faults of TCP between data centers. Attributes are toxiproxy's: milliseconds,
// except a slicer's delay (microseconds) and a rate (KB/s).
var badNetworks = map[string]badNetwork{
	"latency and jitter": {arrives: true, toxics: []toxic{
		{"latency", upstream, attributes{"latency": 200, "jitter": 150}},
		{"latency", downstream, attributes{"latency": 200, "jitter": 150}},
	}},
	"narrow": {arrives: true, toxics: []toxic{
		{"bandwidth", upstream, attributes{"rate": 1}},
		{"bandwidth", downstream, attributes{"rate": 1}},
	}},
	"a response in small pieces": {arrives: true, toxics: []toxic{
		{"slicer", downstream, attributes{"average_size": 4, "delay": 100}},
	}},
	"a response that trickles": {want: auth.ErrWeChatTimeout, arrives: true, waits: true, toxics: []toxic{
		{"slicer", downstream, attributes{"average_size": 1, "delay": 100_000}},
	}},
	"a request that trickles": {want: auth.ErrWeChatTimeout, waits: true, toxics: []toxic{
		{"slicer", upstream, attributes{"average_size": 1, "delay": 100_000}},
	}},
	"reset before the request arrives": {want: auth.ErrWeChatUnreachable, toxics: []toxic{
		{"reset_peer", upstream, attributes{"timeout": 0}},
	}},
	"reset before the response arrives": {want: auth.ErrWeChatUnreachable, arrives: true, toxics: []toxic{
		{"reset_peer", downstream, attributes{"timeout": 0}},
	}},
	"closed in the middle of the headers": {want: auth.ErrWeChatUnreachable, arrives: true, toxics: []toxic{
		{"limit_data", downstream, attributes{"bytes": 40}},
	}},
	inBody: {want: auth.ErrWeChatUnreadable, arrives: true, toxics: []toxic{
		{"limit_data", downstream, attributes{"bytes": intoBody}},
	}},
	"peer lost before the request, without a FIN": {want: auth.ErrWeChatTimeout, waits: true, toxics: []toxic{
		{"timeout", upstream, attributes{"timeout": 0}},
	}},
	"peer lost before the response, without a FIN": {want: auth.ErrWeChatTimeout, arrives: true, waits: true, toxics: []toxic{
		{"timeout", downstream, attributes{"timeout": 0}},
	}},
}

// toxicCall is one call of the client.
type toxicCall struct {
	name platform.CallName
	path string
	// repeats reports whether the client may retry the call: not one that uses up a code, money
	// or a key, and not a call of an upstream, whose effects are unknown.
	repeats   bool
	component bool
	official  bool // a service account's
	secured   bool // WeChat requires encrypted and signed calls
	within    time.Duration
	make      func(*toxicNet) error
}

var toxicCalls = []toxicCall{
	{name: platform.CallLogin, path: loginPath, within: callDeadline, make: (*toxicNet).login},
	{name: platform.CallComponentLogin, path: componentLogin, within: callDeadline, component: true, make: (*toxicNet).login},
	{name: platform.CallPhone, path: phonePath, within: callDeadline, make: func(n *toxicNet) error { return n.phone() }},
	{name: platform.CallToken, path: tokenPath, within: callDeadline, repeats: true, make: func(n *toxicNet) error {
		_, err := n.client.AccessTokens().Token(n.t.Context())
		return err
	}},
	{name: platform.CallCheck, path: checkPath, within: callDeadline, repeats: true, make: func(n *toxicNet) error {
		return n.client.CheckSession(n.t.Context(), alice, n.key)
	}},
	{name: platform.CallCheckPhone, path: knownPath, within: callDeadline, repeats: true, make: func(n *toxicNet) error { return n.checkPhone() }},
	{name: platform.CallRisk, path: riskPath, within: riskDeadline, repeats: true, make: func(n *toxicNet) error { return n.risk() }},
	{name: platform.CallAddresses, path: addressesPath, within: callDeadline, repeats: true, make: func(n *toxicNet) error {
		_, err := n.client.CallbackAddresses(n.t.Context())
		return err
	}},
	{name: platform.CallWebLogin, path: webLoginPath, within: callDeadline, official: true, make: (*toxicNet).login},
	{name: platform.CallMiniProgramCode, path: codePath, within: callDeadline, repeats: true, make: func(n *toxicNet) error { return n.miniProgramCode() }},
	{name: platform.CallReset, path: resetPath, within: callDeadline, make: func(n *toxicNet) error {
		_, err := n.client.ResetSessionKey(n.t.Context(), alice, n.key)
		return err
	}},
	{name: platform.CallForward, path: checkPath, within: upstreamPatience, make: func(n *toxicNet) error {
		ctx, cancel := context.WithTimeout(n.t.Context(), upstreamPatience)
		defer cancel()
		return n.openapi(ctx)
	}},
	{name: platform.CallPhone, path: phonePath, within: callDeadline, secured: true, make: func(n *toxicNet) error { return n.phone() }},
	{name: platform.CallForward, path: knownPath, within: callDeadline, secured: true, make: func(n *toxicNet) error {
		ctx, cancel := context.WithTimeout(n.t.Context(), callDeadline)
		defer cancel()
		return n.forward(ctx, check(n.faulted))
	}},
}

func (c toxicCall) title() string {
	if c.secured {
		return string(c.name) + ", encrypted"
	}
	return string(c.name)
}

var alice = auth.OpenID(wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"))

// expect returns how often a call is made, and how often WeChat receives it. A call is not
// retried after its deadline.
func (b badNetwork) expect(c toxicCall) (made, seen int) {
	made = 1
	if c.repeats && b.want != nil && !b.waits {
		made = 2
	}
	if b.arrives {
		seen = made
	}
	return made, seen
}

// TestToxicNetwork makes every call over every bad network, on a new connection and on a
// kept-alive connection that worked before. Each call must fail with the right class, within
// its deadline, and WeChat must receive it the expected number of times.
func TestToxicNetwork(t *testing.T) {
	t.Parallel()
	var group errgroup.Group // with t.Parallel only two would wait at a time
	group.SetLimit(toxicAtOnce)
	for name, network := range badNetworks {
		for _, call := range toxicCalls {
			if call.secured && name == inBody {
				continue // tested by TestSecuredOtherFaults: these responses have longer headers
			}
			for kept, connection := range map[bool]string{false: "new connection", true: "kept connection"} {
				group.Go(func() error {
					t.Run(name+"/"+call.title()+"/"+connection, func(t *testing.T) { testToxic(t, network, call, kept) })
					return nil
				})
			}
		}
	}
	_ = group.Wait()
}

func testToxic(t *testing.T, network badNetwork, call toxicCall, kept bool) {
	n := newToxicNet(t, kept, call.component)
	if call.secured {
		n.secure()
	}
	if call.official {
		n.useOfficial()
	}
	n.prepare(call)
	n.poison(network.toxics)
	made, seen := network.expect(call)
	started := time.Now()
	err := call.make(n)
	took := time.Since(started)
	wantErr(t, err, network.want)
	switch {
	case took > call.within+slack:
		t.Errorf("the call took %v, want at most %v", took, call.within)
	case network.waits && took < call.within-call.within/10:
		t.Errorf("the call ended after %v, before its deadline", took)
	}
	if got := int(n.made.Load()); got != made {
		t.Errorf("the call was made %d times, want %d", got, made)
	}
	if got := n.sim.Count(call.path); got != seen {
		t.Errorf("WeChat saw %d requests, want %d", got, seen)
	}
}

// TestConnectionRefused: no process listens on port 1 of this machine. The call fails at once,
// not at its deadline.
func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	for _, call := range toxicCalls {
		t.Run(call.title(), func(t *testing.T) {
			t.Parallel()
			n := newToxicNet(t, false, call.component)
			if call.official {
				n.useOfficial()
			}
			n.client = n.newClient("http://127.0.0.1:1", call.component)
			n.key = auth.SessionKey{Key: "tiihtNczf5v6AKRyjwEUhQ=="}
			started := time.Now()
			wantErr(t, call.make(n), auth.ErrWeChatUnreachable)
			if took := time.Since(started); took > slack {
				t.Errorf("the call took %v", took)
			}
			if got := n.sim.Count(); got != 0 {
				t.Errorf("WeChat saw %d requests", got)
			}
		})
	}
}
