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
	id := auth.NewSessionID(began)
	if got, err := auth.ParseSessionID(string(id)); err != nil || got != id {
		t.Fatalf("got %q, %v", got, err)
	}
	if !id.Began().Equal(began) {
		t.Fatalf("began %v, want %v", id.Began(), began)
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
	}
}

func TestBeganDoesNotAllocate(t *testing.T) {
	id := auth.NewSessionID(time.UnixMilli(1))
	if n := testing.AllocsPerRun(100, func() { _ = id.Began() }); n != 0 {
		t.Fatalf("Began allocates %v times", n)
	}
}
