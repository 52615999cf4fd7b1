package opendata_test

import (
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechat/opendata"
)

// A session key is recognized in every spelling of base64 that clients use. Any other text is
// refused: a handle must not be mistaken for a key.
func TestParseSessionKey(t *testing.T) {
	t.Parallel()
	const key = "+ii/tNczf5v6AKRyjwEUhQ=="
	for _, text := range []string{key, strings.TrimRight(key, "="), "-ii_tNczf5v6AKRyjwEUhQ==", " ii/tNczf5v6AKRyjwEUhQ==", key + "\n"} {
		if got, ok := opendata.ParseSessionKey(text); !ok || got != key {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "AAAA", "AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAA", key + "=", "+ii/tNczf5v6AKRyjwEUhR==", "session_key",
		strings.Repeat("A", 59), strings.Repeat("\n", 100) + key,
	} {
		if got, ok := opendata.ParseSessionKey(text); ok {
			t.Errorf("%q is parsed as %q", text, got)
		}
	}
}
