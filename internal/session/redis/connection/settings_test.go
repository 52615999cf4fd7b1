package connection_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings connection.Settings
		want     string // in the error; "" for none
	}{
		"one server":                {connection.Settings{Addresses: []string{"a:1"}, Database: 1}, ""},
		"Sentinels":                 {connection.Settings{Addresses: []string{"a:1", "b:1"}, Sentinel: "m", Database: 1}, ""},
		"a Cluster":                 {connection.Settings{Addresses: []string{"a:1", "b:1"}, Cluster: true}, ""},
		"no address":                {connection.Settings{}, "address is required"},
		"several addresses":         {connection.Settings{Addresses: []string{"a:1", "b:1"}}, "sentinel or cluster"},
		"Sentinels and a Cluster":   {connection.Settings{Addresses: []string{"a:1"}, Sentinel: "m", Cluster: true}, "mutually exclusive"},
		"the database of a Cluster": {connection.Settings{Addresses: []string{"a:1"}, Cluster: true, Database: 1}, "database 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.settings.Check()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	settings := connection.Settings{Addresses: []string{"a:1", "b:1"}, Password: "SECRET", SentinelPassword: "SECRET"}
	for text, advice := range map[string]string{
		"WRONGPASS invalid username-password pair": "check username and password",
		"OOM command not allowed":                  "raise maxmemory",
		"dial tcp: connection refused":             "check that it is running",
	} {
		cause := errors.New(text)
		err := settings.Explain(cause)
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), advice) || !strings.HasPrefix(err.Error(), "redis at a:1, b:1: ") {
			t.Errorf("%s: got %v, want advice %q", text, err, advice)
		}
		if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the error contains a secret: %v", err)
		}
	}
	if err := settings.Explain(connection.ErrFewAcks); !strings.Contains(err.Error(), "option acks") {
		t.Errorf("got %v, want advice about acks", err)
	}
}
