package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	var c Config
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	if c.Scenario != "requests" || c.Rounds != 15 || c.Connections != 64 || c.Tokens != 200 {
		t.Errorf("%+v", c)
	}
	for _, s := range scenarios {
		all := time.Duration(c.Rounds*len(s.targets)) * (s.duration + c.Warmup)
		if all > 3*time.Minute {
			t.Errorf("scenario %s takes %v by default", s.name, all)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"scenario":         {Config{Scenario: "speed"}, "expected one of: requests, many-tokens"},
		"rounds":           {Config{Rounds: -1}, "--rounds must not be negative"},
		"duration":         {Config{Duration: -1}, "--duration"},
		"rate":             {Config{Rate: -1}, "--rate"},
		"no Caddy":         {Config{Scenario: "shipped"}, "set --caddy"},
		"missing Caddy":    {Config{Caddy: "/nonexistent/caddy"}, "name the executable of a Caddy"},
		"a text as Caddy":  {Config{Caddy: text}, "name the executable of a Caddy"},
		"peer and login":   {Config{Scenario: "login", Peers: []string{"a=http://127.0.0.1:1"}}, "does not support --peer"},
		"peer without URL": {Config{Peers: []string{"nginx"}}, "expected name=http://host:port"},
		"peer with TLS":    {Config{Peers: []string{"nginx=https://127.0.0.1"}}, "expected name=http://host:port"},
		"peer with path":   {Config{Peers: []string{"nginx=http://127.0.0.1/a"}}, "expected name=http://host:port"},
		"peer named bare":  {Config{Peers: []string{"bare=http://127.0.0.1"}}, "duplicate name \"bare\""},
		"baseline":         {Config{Baseline: "nginx"}, "--baseline: unrecognized \"nginx\"; expected one of: bare, standard, guarded"},
		"hours":            {Config{Duration: time.Hour}, "access tokens expire; the limit is 50m0s"},
		"peer, no name":    {Config{Peers: []string{"=http://127.0.0.1"}}, "expected name=http://host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := Run(context.Background(), test.config)
			if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), test.want) || run != nil {
				t.Errorf("%v, want ErrUsage with %q", err, test.want)
			}
		})
	}
}

func TestParsePeer(t *testing.T) {
	for text, want := range map[string]peer{
		"nginx=http://127.0.0.1:8081":  {"nginx", "127.0.0.1:8081"},
		"nginx=http://127.0.0.1:8081/": {"nginx", "127.0.0.1:8081"},
		"other=http://[::1]":           {"other", "[::1]:80"},
	} {
		if got, err := parsePeer(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

// In n rounds with n servers, each server is once in each place. In 2n rounds, each server is
// before each other server in half of the rounds.
func TestOrder(t *testing.T) {
	for n := 1; n <= 5; n++ {
		before := map[[2]int]int{}
		for cycle := range 2 {
			places := map[[2]int]bool{}
			for round := cycle * n; round < (cycle+1)*n; round++ {
				o := order(round, n)
				for place, server := range o {
					places[[2]int{place, server}] = true
					for _, later := range o[place+1:] {
						before[[2]int{server, later}]++
					}
				}
			}
			if len(places) != n*n {
				t.Errorf("%d servers, cycle %d: %d pairs of place and server, want %d", n, cycle, len(places), n*n)
			}
		}
		for a := range n {
			for b := range n {
				if a != b && before[[2]int{a, b}] != n {
					t.Errorf("%d servers: %d is before %d in %d of %d rounds", n, a, b, before[[2]int{a, b}], 2*n)
				}
			}
		}
	}
}

func TestCaddyfiles(t *testing.T) {
	const upstream = "127.0.0.1:9000"
	for name, test := range map[string]struct {
		site      site
		has, lack []string
	}{
		bare:     {site{Port: 80, Upstream: upstream}, []string{"keepalive_idle_conns_per_host 512"}, []string{"wxgate"}},
		stock:    {site{Stock: true, Port: 80, Upstream: upstream}, nil, []string{"wxgate", "transport"}},
		guarded:  {site{Guarded: true, Port: 80, Upstream: upstream}, []string{"\n\twxgate\n", "api {env.WX_API}"}, []string{"transport"}},
		standard: {site{Guarded: true, Standard: true, Port: 80, Upstream: upstream}, []string{"\n\t\ttransport standard\n\t}\n}"}, []string{"keepalive"}},
	} {
		text, err := test.site.caddyfile()
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range append(test.has, "default_bind 127.0.0.1", "reverse_proxy "+upstream, "http://:80 {") {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", name, part, text)
			}
		}
		for _, part := range test.lack {
			if strings.Contains(text, part) {
				t.Errorf("%s: %q in\n%s", name, part, text)
			}
		}
	}
	text, err := exampleCaddyfile()
	if err != nil || strings.Count(text, "\tdefault_bind 127.0.0.1\n") != 1 {
		t.Errorf("Caddyfile.example on loopback: %v\n%s", err, text)
	}
}
