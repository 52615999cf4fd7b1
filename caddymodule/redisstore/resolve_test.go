package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/wxgate/wxgate/caddymodule/secret"
)

// TestRedisResolve combines URLs and options.
func TestRedisResolve(t *testing.T) {
	t.Setenv("WXGATE_TEST_URL", "redis://env:secret@10.0.0.9:7000/4")
	t.Setenv("WXGATE_TEST_EMPTY", "")
	for name, test := range map[string]struct {
		config    Config
		addresses []string
		user      string
		password  string
		database  int
		acks      int
		err       error
	}{
		"a host":                   {config: Config{URLs: []string{"redis://cache"}}, addresses: []string{"cache:6379"}},
		"IPv6":                     {config: Config{URLs: []string{"redis://[::1]:7000"}}, addresses: []string{"[::1]:7000"}},
		"all in the URL":           {config: Config{URLs: []string{"{env.WXGATE_TEST_URL}"}}, addresses: []string{"10.0.0.9:7000"}, user: "env", password: "secret", database: 4},
		"percent-encoded":          {config: Config{URLs: []string{"redis://:a%40b%2Fc@cache"}}, addresses: []string{"cache:6379"}, password: "a@b/c"},
		"options":                  {config: Config{URLs: []string{"redis://cache"}, Username: "u", Password: "p", Database: 3}, addresses: []string{"cache:6379"}, user: "u", password: "p", database: 3},
		"Sentinels":                {config: Config{URLs: []string{"redis://a", "redis://b:1"}, Sentinel: "m"}, addresses: []string{"a:26379", "b:1"}},
		"a Cluster":                {config: Config{URLs: []string{"redis://u:p@a", "redis://u:p@b"}, Cluster: true}, addresses: []string{"a:6379", "b:6379"}, user: "u", password: "p"},
		"no acks":                  {config: Config{URLs: []string{"redis://a"}, Acks: new(0)}, addresses: []string{"a:6379"}, acks: -1},
		"acks":                     {config: Config{URLs: []string{"redis://a"}, Acks: new(2)}, addresses: []string{"a:6379"}, acks: 2},
		"an empty variable":        {config: Config{URLs: []string{"redis://a"}, Password: "{env.WXGATE_TEST_EMPTY}"}, err: secret.ErrEmpty},
		"a variable unset":         {config: Config{URLs: []string{"{env.WXGATE_TEST_UNSET}"}}, err: secret.ErrEmpty},
		"not a URL":                {config: Config{URLs: []string{"http://a"}}, err: errURL},
		"user twice":               {config: Config{URLs: []string{"{env.WXGATE_TEST_URL}"}, Username: "u", Password: "p"}, err: errUserTwice},
		"users differ":             {config: Config{URLs: []string{"redis://u:p@a", "redis://v:p@b"}, Cluster: true}, err: errUserTwice},
		"user in a Sentinel's URL": {config: Config{URLs: []string{"{env.WXGATE_TEST_URL}"}, Sentinel: "m"}, err: errInURL},
		"database of a Cluster":    {config: Config{URLs: []string{"{env.WXGATE_TEST_URL}"}, Cluster: true}, err: errDatabase},
		"databases differ":         {config: Config{URLs: []string{"redis://a/1"}, Database: 2}, err: errDatabase},
		"tls without TLS":          {config: Config{URLs: []string{"redis://a"}, TLS: new(TLS)}, err: errTLS},
		"schemes differ":           {config: Config{URLs: []string{"redis://a", "rediss://b"}, Cluster: true}, err: errSchemes},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.config.Resolve(caddy.NewReplacer(), zap.NewNop())
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			c := got.Config
			if !slices.Equal(c.Addresses, test.addresses) || c.Username != test.user || c.Password != test.password || c.Database != test.database || c.Acks != test.acks {
				t.Errorf("got %+v", c)
			}
		})
	}
}

// TestRedisShape: every setting of a connection changes its key, so that a reload opens another
// connection. Equal settings have equal keys.
func TestRedisShape(t *testing.T) {
	t.Parallel()
	change := map[string]func(*Config){
		"nothing":     func(*Config) {},
		"URL":         func(c *Config) { c.URLs = []string{"redis://b"} },
		"password":    func(c *Config) { c.Password = "q" },
		"username":    func(c *Config) { c.Username = "v" },
		"database":    func(c *Config) { c.Database = 1 },
		"prefix":      func(c *Config) { c.Prefix = "shop" },
		"acks":        func(c *Config) { c.Acks = new(1) },
		"ack timeout": func(c *Config) { c.Acks, c.AckTimeout = new(1), caddy.Duration(time.Second) },
		"timeout":     func(c *Config) { c.Timeout = caddy.Duration(time.Second) },
		"sentinel":    func(c *Config) { c.Sentinel = "m" },
		"cluster":     func(c *Config) { c.Cluster = true },
		"TLS":         func(c *Config) { c.URLs = []string{"rediss://a"} },
		"server name": func(c *Config) { c.URLs, c.TLS = []string{"rediss://a"}, &TLS{ServerName: "b"} },
	}
	seen := make(map[[32]byte]string)
	for name, change := range change {
		var keys [2][32]byte
		for i := range keys {
			config := Config{URLs: []string{"redis://a"}, Username: "u", Password: "p"}
			change(&config)
			got, err := config.Resolve(caddy.NewReplacer(), zap.NewNop())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			keys[i] = got.Key
		}
		if other, ok := seen[keys[0]]; ok || keys[0] != keys[1] {
			t.Errorf("the key for another %s is wrong, or equals that for another %s", name, other)
		}
		seen[keys[0]] = name
	}
}

// TestRedisCleartextWarning: each public address of a Redis without TLS causes a warning. The
// warning does not contain the password.
func TestRedisCleartextWarning(t *testing.T) {
	const warning = "unencrypted to an address that is not private"
	for name, test := range map[string]struct {
		config Config
		want   []string
	}{
		"public address":     {Config{URLs: []string{"redis://u:hunter2@203.0.113.7"}}, []string{"203.0.113.7:6379"}},
		"public name":        {Config{URLs: []string{"redis://:hunter2@redis.example.com:7000"}}, []string{"redis.example.com:7000"}},
		"public IPv6":        {Config{URLs: []string{"redis://[2001:db8::1]"}}, []string{"[2001:db8::1]:6379"}},
		"two of a Cluster":   {Config{URLs: []string{"redis://10.0.0.1", "redis://203.0.113.7", "redis://203.0.113.8"}, Cluster: true}, []string{"203.0.113.7:6379", "203.0.113.8:6379"}},
		"with TLS":           {Config{URLs: []string{"rediss://203.0.113.7"}}, nil},
		"loopback":           {Config{URLs: []string{"redis://127.0.0.1"}}, nil},
		"private":            {Config{URLs: []string{"redis://192.168.0.7"}}, nil},
		"private IPv6":       {Config{URLs: []string{"redis://[fd00::1]"}}, nil},
		"name in containers": {Config{URLs: []string{"redis://cache"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			core, lines := observer.New(zap.WarnLevel)
			if _, err := test.config.Resolve(caddy.NewReplacer(), zap.New(core)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range lines.All() {
				if strings.Contains(fmt.Sprint(line.Message, line.ContextMap()), "hunter2") {
					t.Errorf("the password is logged: %v", line)
				}
				if strings.Contains(line.Message, warning) {
					got = append(got, line.ContextMap()["address"].(string))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("warned of %q, want %q", got, test.want)
			}
		})
	}
}
