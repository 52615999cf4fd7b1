package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestSessionIDHasOneSpelling(t *testing.T) {
	t.Parallel()
	began := time.UnixMilli(1_790_000_000_123)
	u := auth.User{App: "wx1", OpenID: "o1"}
	id := auth.NewSessionID(began, u)
	if got, err := auth.ParseSessionID(string(id)); err != nil || got != id {
		t.Fatalf("got %q, %v", got, err)
	}
	if !id.Began().Equal(began) {
		t.Fatalf("began %v, want %v", id.Began(), began)
	}
	if id.Shard() != u.Shard() {
		t.Fatalf("shard %d, want %d as for its user", id.Shard(), u.Shard())
	}
	for name, s := range map[string]string{
		"empty":          "",
		"short":          strings.Repeat("A", 21),
		"long":           strings.Repeat("A", 23),
		"padded":         strings.Repeat("A", 20) + "==",
		"standard":       strings.Repeat("A", 21) + "+",
		"trailing bits":  strings.Repeat("A", 21) + "B",
		"line breaks":    strings.Repeat("A", 20) + "\r\n",
		"one line break": strings.Repeat("A", 21) + "\n",
	} {
		if _, err := auth.ParseSessionID(s); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("%s: got %v, want ErrInvalidToken", name, err)
		}
		if !auth.SessionID(s).Began().IsZero() {
			t.Errorf("%s: began %v, want the zero time", name, auth.SessionID(s).Began())
		}
		if auth.SessionID(s).Shard() != 0 {
			t.Errorf("%s: shard %d, want 0", name, auth.SessionID(s).Shard())
		}
	}
}

// TestValidID: only what the platforms issue becomes a header, a key or a log line.
func TestValidID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"": false, "a": true, "z": true, "A": true, "Z": true, "0": true, "9": true, "_": true, "-": true,
		"@": false, "[": false, "`": false, "{": false, "/": false, ":": false, ".": false, " ": false, "a\n": false, "é": false, "\na": false,
		"oGZUI0egBJY1zhBYw2KhdUfwVJJE": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false,
	} {
		if auth.ValidID(id) != want {
			t.Errorf("ValidID(%q) is %v", id, !want)
		}
	}
}

// TestShardIsFixed: the shard is where replicas and later versions look for what was written: it
// must never change.
func TestShardIsFixed(t *testing.T) {
	t.Parallel()
	for u, want := range map[auth.User]byte{
		{App: "wx1", OpenID: "alice"}:                                       0x8e,
		{App: "wx2", OpenID: "alice"}:                                       0x89,
		{App: "wx1a", OpenID: "lice"}:                                       0x44,
		{App: "wx4f4bc4dec97d474b", OpenID: "oGZUI0egBJY1zhBYw2KhdUfwVJJE"}: 0x17,
	} {
		if got := u.Shard(); got != want {
			t.Errorf("%v: shard %#02x, want %#02x", u, got, want)
		}
	}
}

func TestBeganDoesNotAllocate(t *testing.T) {
	id := auth.NewSessionID(time.UnixMilli(1), auth.User{})
	if n := testing.AllocsPerRun(100, func() { _ = id.Began() }); n != 0 {
		t.Fatalf("Began allocates %v times", n)
	}
}
