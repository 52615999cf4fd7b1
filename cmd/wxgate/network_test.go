package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// network is the connection of one gateway to its Redis, which can fail.
type network struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// newNetwork starts a proxy to an address on loopback. Gateways dial addr.
func newNetwork(t *testing.T, to string) *network {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n := &network{t: t, proxy: toxiproxy.NewProxy(server, "redis", freeAddr(t), to)}
	if err := n.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.proxy.Stop)
	return n
}

func (n *network) addr() string { return n.proxy.Listen }

// breakage is a way in which a network fails, until it is repaired.
type breakage func(*network) (repair func())

// cut closes all connections and refuses new ones, as if the process had ended.
func cut(n *network) (repair func()) {
	n.proxy.Stop()
	return func() {
		if err := n.proxy.Start(); err != nil {
			n.t.Errorf("repairing the network: %v", err)
		}
	}
}

// vanish drops every packet in both directions and closes no connection, as a failed router.
func vanish(n *network) (repair func()) {
	return n.toxics(`{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		`{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
}

// deafen drops the replies of Redis: it executes the commands, but no gateway receives the
// replies.
func deafen(n *network) (repair func()) {
	return n.toxics(`{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
}

// stall delivers the commands to Redis only after the repair, long after their senders gave up,
// as TCP can.
func stall(n *network) (repair func()) {
	return n.toxics(`{"type":"latency","stream":"upstream","attributes":{"latency":3600000}}`)
}

// slow delays everything in both directions, by a time that varies.
func slow(latency time.Duration) breakage {
	return func(n *network) (repair func()) {
		const toxic = `{"type":"latency","stream":%q,"attributes":{"latency":%d,"jitter":%d}}`
		ms := latency.Milliseconds()
		return n.toxics(fmt.Sprintf(toxic, "upstream", ms, ms/4), fmt.Sprintf(toxic, "downstream", ms, ms/4))
	}
}

func (n *network) toxics(list ...string) (repair func()) {
	for _, toxic := range list {
		if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			n.t.Errorf("breaking the network: %v", err)
		}
	}
	return func() { n.proxy.Toxics.ResetToxics(n.t.Context()) }
}
