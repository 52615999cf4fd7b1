package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func verdicts(t *testing.T, store opened, c *clock) {
	s := begin(t, store, alice, c, "k1")
	for _, step := range []struct {
		verdict   auth.Verdict
		write     string
		want      string
		wantThere bool
	}{
		{auth.Keep, "kept out", "", true},
		{auth.Save, "+861", "+861", true},
		{auth.Keep, "kept out", "+861", true},
		{auth.End, "kept out", "", false},
	} {
		must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
			s.Phone = step.write
			return step.verdict, nil
		}))
		got, err := store.Session(t.Context(), s.ID)
		switch {
		case step.wantThere && (err != nil || got.Phone != step.want):
			t.Fatalf("after verdict %d: %+v, %v; want phone %q", step.verdict, got, err, step.want)
		case !step.wantThere && !errors.Is(err, auth.ErrNoSession):
			t.Fatalf("after verdict %d: %v, want ErrNoSession", step.verdict, err)
		}
	}
}

var errDecided = errors.New("decided")

// The error is decide's own, and the verdict is carried out all the same: a
// reused refresh token ends the session with an error.
func decidesError(t *testing.T, store opened, c *clock) {
	s := begin(t, store, alice, c, "k1")
	for _, verdict := range []auth.Verdict{auth.Keep, auth.Save, auth.End} {
		err := store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
			s.Phone = "+861"
			return verdict, errDecided
		})
		if err != errDecided { //nolint:errorlint // as it is, says the contract
			t.Fatalf("verdict %d: got %v, want decide's error as it is", verdict, err)
		}
		got, err := store.Session(t.Context(), s.ID)
		if saved := err == nil && got.Phone == "+861"; saved != (verdict == auth.Save) {
			t.Fatalf("verdict %d: %+v, %v", verdict, got, err)
		}
	}
	wantNoSession(t, store, "ended with an error", s.ID)
	if !store.set.Revoked(bearer(s)) {
		t.Fatal("ended with an error and not revoked")
	}
}

func updateKeepsIdentity(t *testing.T, store opened, c *clock) {
	s := begin(t, store, alice, c, "k1")
	must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
		s.ID, s.User, s.AccessEnd = auth.NewSessionID(c.Now(), bob), bob, time.Time{}
		return auth.Save, nil
	}))
	got, err := store.Session(t.Context(), s.ID)
	must(t, err)
	if got.ID != s.ID || got.User != alice || !got.AccessEnd.Equal(s.AccessEnd) {
		t.Fatalf("the session changed hands: %+v", got)
	}
	if keys := keysOf(t, store, bob); len(keys) != 0 {
		t.Fatalf("bob got %v", keys)
	}
}

func endRevokes(t *testing.T, store opened, c *clock) {
	early, late := begin(t, store, alice, c, "k1"), begin(t, store, bob, c, "k2")
	if store.set.Revoked(bearer(early)) {
		t.Fatal("revoked before the end")
	}
	end(t, store, early.ID)
	if !store.set.Revoked(bearer(early)) || store.set.Revoked(bearer(late)) {
		t.Fatal("want the ended session revoked when the call returns, and no other")
	}
	c.advance(access)
	end(t, store, late.ID)
	if store.set.Revoked(bearer(late)) {
		t.Fatal("remembered although no token of the session is valid")
	}
	if _, err := store.sweep(t.Context(), c.Now(), 10); err != nil || store.set.Len().Sessions != 0 {
		t.Fatalf("%v, %+v: want nothing left of revocations that match nothing", err, store.set.Len())
	}
}

// revokeLostSession: the tokens of a session that is not there are refused, those
// of the user's others are not, and nothing is remembered for nothing.
func revokeLostSession(t *testing.T, store opened, c *clock) {
	lost, kept := sessionOf(alice, c), begin(t, store, alice, c, "k1")
	must(t, store.RevokeSession(t.Context(), lost.ID, c.Now()))
	if store.set.Len().Sessions != 0 {
		t.Fatal("remembers a session none of whose tokens is valid")
	}
	for range 2 {
		must(t, store.RevokeSession(t.Context(), lost.ID, c.Now().Add(access)))
		if !store.set.Revoked(bearer(lost)) || store.set.Revoked(bearer(kept)) || store.set.Len().Sessions != 1 {
			t.Fatal("want every token of the session refused, and of no other")
		}
	}
	if _, err := store.Session(t.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
	c.advance(access)
	if _, err := store.sweep(t.Context(), c.Now(), 10); err != nil || store.set.Len().Sessions != 0 {
		t.Fatalf("%v, %+v: want nothing left of revocations that match nothing", err, store.set.Len())
	}
}

func revokeKey(t *testing.T, store opened, c *clock) {
	s := begin(t, store, alice, c, "k1")
	id := bearer(s)
	must(t, store.RevokeKey(t.Context(), "over", c.Now()))
	if store.set.Len().Keys != 0 {
		t.Fatal("remembers a key that signed nothing that is valid")
	}
	must(t, store.RevokeKey(t.Context(), id.Key, c.Now().Add(access)))
	other := *id
	other.Key = "key2"
	if !store.set.Revoked(id) || store.set.Revoked(&other) {
		t.Fatal("want every token of the key refused, and of no other")
	}
	must(t, store.RevokeKey(t.Context(), id.Key, c.Now().Add(time.Minute)))
	c.advance(access - time.Second)
	_, err := store.sweep(t.Context(), c.Now(), 10)
	must(t, err)
	if !store.set.Revoked(id) {
		t.Fatal("a shorter revocation cut a longer one")
	}
	c.advance(time.Second)
	_, err = store.sweep(t.Context(), c.Now(), 10)
	must(t, err)
	if store.set.Revoked(id) {
		t.Fatal("remembered after its end")
	}
}
