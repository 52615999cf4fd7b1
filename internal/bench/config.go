// Package bench measures the costs of wxgate, compared with the same binary without it and with
// other servers. It implements `wxgate bench`.
//
// It starts an upstream, the simulator as WeChat, and each server to measure, all on
// loopback. Each round loads one server after the other, so that a machine that becomes
// slower is slower for all of them, and compares them within the round. CPU time and memory
// are read from the operating system. Whatever was started is stopped at the end.
package bench

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/bench/seed"
)

// ErrUsage is for a configuration that cannot be measured. The message describes how to change
// it.
var ErrUsage = errors.New("wrong arguments")

// Config is the configuration of a run. Executable and Self are required.
type Config struct {
	Executable string                        // this binary
	Self       func(address string) []string // its arguments to run [load.ServeUpstream] at an address

	Scenario    string        // default: the first of [Scenarios]
	Rounds      int           // default 15
	Duration    time.Duration // measured, in each round and for each target; default that of the scenario
	Warmup      time.Duration // not measured, before each measurement; default 300ms
	Connections int           // default 64
	Tokens      int           // default that of the scenario
	Sessions    int           // in the store of one more gateway; default: no such gateway
	Revocations int           // in the same store; default 0
	Rate        float64       // operations per second; default: as many as possible
	Baseline    string        // default that of the scenario
	Caddy       string        // an executable of Caddy to measure too
	Peers       []string      // servers that run, each as name=url
	Upstream    string        // address of the upstream; default: a free port
	Dir         string        // for the session stores; default: that for temporary files

	// Progress is called before each step, with the steps done and all of them, 0 while
	// the run is prepared. Default: it is not called.
	Progress func(done, all int, doing string)

	scenario *scenario
	peers    []peer
	targets  []string // the names of all servers, the peers last
}

const (
	defaultRounds      = 15
	defaultWarmup      = 300 * time.Millisecond
	defaultConnections = 64
	// setupTime is how long the servers may take to start after the tokens were issued.
	setupTime = 10 * time.Minute
)

// complete sets the defaults and refuses a configuration that cannot be measured.
func (c *Config) complete() error {
	if c.Progress == nil {
		c.Progress = func(int, int, string) {}
	}
	if err := c.chooseScenario(); err != nil {
		return err
	}
	setDefault(&c.Rounds, defaultRounds)
	setDefault(&c.Duration, c.scenario.duration)
	setDefault(&c.Warmup, defaultWarmup)
	setDefault(&c.Connections, defaultConnections)
	setDefault(&c.Tokens, c.scenario.tokens)
	for name, value := range map[string]int{"rounds": c.Rounds, "connections": c.Connections, "tokens": c.Tokens, "sessions": c.Sessions, "revocations": c.Revocations} {
		if value < 0 {
			return fmt.Errorf("%w: --%s must not be negative", ErrUsage, name)
		}
	}
	if c.Duration < 0 || c.Warmup < 0 || c.Rate < 0 {
		return fmt.Errorf("%w: --duration, --warmup and --rate must not be negative", ErrUsage)
	}
	if err := c.checkServers(); err != nil {
		return err
	}
	if err := c.nameTargets(); err != nil {
		return err
	}
	return c.checkTime()
}

func setDefault[T comparable](value *T, def T) {
	var zero T
	if *value == zero {
		*value = def
	}
}

func (c *Config) chooseScenario() error {
	setDefault(&c.Scenario, scenarios[0].name)
	at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == c.Scenario })
	if at < 0 {
		return fmt.Errorf("%w: --scenario: unrecognized %q; expected one of: %s", ErrUsage, c.Scenario, strings.Join(ScenarioNames(), ", "))
	}
	c.scenario = &scenarios[at]
	return nil
}

// checkServers refuses servers that cannot be compared.
func (c *Config) checkServers() error {
	if c.scenario.caddy && c.Caddy == "" {
		return fmt.Errorf("%w: scenario %s compares with a stock Caddy; set --caddy to its executable", ErrUsage, c.Scenario)
	}
	if c.Caddy != "" {
		path, err := exec.LookPath(c.Caddy)
		if err != nil {
			return fmt.Errorf("%w: --caddy: %w; name the executable of a Caddy, such as one that xcaddy build made", ErrUsage, err)
		}
		c.Caddy = path
	}
	if len(c.Peers) > 0 && !c.scenario.proxies {
		return fmt.Errorf("%w: scenario %s does not support --peer", ErrUsage, c.Scenario)
	}
	for _, text := range c.Peers {
		p, err := parsePeer(text)
		if err != nil {
			return err
		}
		c.peers = append(c.peers, p)
	}
	return nil
}

// nameTargets lists the servers, and refuses a duplicate name and an unknown baseline.
func (c *Config) nameTargets() error {
	if c.Caddy != "" && (c.scenario.proxies || c.Scenario == idleScenario) {
		c.targets = append(c.targets, stock)
	}
	c.targets = append(c.targets, c.scenario.targets...)
	if c.Sessions > 0 || c.Revocations > 0 {
		c.targets = append(c.targets, populous)
	}
	for _, p := range c.peers {
		if slices.Contains(c.targets, p.name) {
			return fmt.Errorf("%w: --peer: duplicate name %q; choose another", ErrUsage, p.name)
		}
		c.targets = append(c.targets, p.name)
	}
	setDefault(&c.Baseline, c.scenario.baseline)
	if !slices.Contains(c.targets, c.Baseline) {
		return fmt.Errorf("%w: --baseline: unrecognized %q; expected one of: %s", ErrUsage, c.Baseline, strings.Join(c.targets, ", "))
	}
	return nil
}

// checkTime refuses a run in which the access tokens would expire.
func (c *Config) checkTime() error {
	all := time.Duration(c.Rounds*len(c.targets)) * (c.Duration + c.Warmup)
	if most := seed.TokenLife - setupTime; c.scenario.proxies && all > most {
		return fmt.Errorf("%w: %d rounds of %d servers take %v, and access tokens expire; the limit is %v", ErrUsage, c.Rounds, len(c.targets), all, most)
	}
	return nil
}

// parsePeer reads name=url.
func parsePeer(text string) (peer, error) {
	name, address, _ := strings.Cut(text, "=")
	u, err := url.Parse(address)
	if name == "" || err != nil || u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return peer{}, fmt.Errorf("%w: --peer: expected name=http://host:port, such as nginx=http://127.0.0.1:8081, not %q", ErrUsage, text)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	return peer{name: name, address: host}, nil
}
