package sessiontest

import (
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func verdicts(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
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
		Must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
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

// decidesError: an error of decide is returned unchanged, and the verdict is carried out
// nevertheless. A reused refresh token ends the session with an error.
func decidesError(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	for _, verdict := range []auth.Verdict{auth.Keep, auth.Save, auth.End} {
		err := store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
			s.Phone = "+861"
			return verdict, errDecided
		})
		if err != errDecided { //nolint:errorlint // the contract requires the same error
			t.Fatalf("verdict %d: got %v, want decide's error unchanged", verdict, err)
		}
		got, err := store.Session(t.Context(), s.ID)
		if saved := err == nil && got.Phone == "+861"; saved != (verdict == auth.Save) {
			t.Fatalf("verdict %d: %+v, %v", verdict, got, err)
		}
	}
	WantNoSession(t, store, "ended with an error", s.ID)
	if !store.Set.Revoked(Bearer(s)) {
		t.Fatal("ended with an error and not revoked")
	}
}

func updateKeepsIdentity(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	Must(t, store.Update(t.Context(), s.ID, func(s *auth.Session) (auth.Verdict, error) {
		s.ID, s.User, s.AccessEnd = auth.NewSessionID(c.Now(), Bob), Bob, time.Time{}
		return auth.Save, nil
	}))
	got, err := store.Session(t.Context(), s.ID)
	Must(t, err)
	if got.ID != s.ID || got.User != Alice || !got.AccessEnd.Equal(s.AccessEnd) {
		t.Fatalf("the session changed its user: %+v", got)
	}
	if keys := KeysOf(t, store, Bob); len(keys) != 0 {
		t.Fatalf("bob got %v", keys)
	}
}

func endRevokes(t *testing.T, store Store, c *Clock) {
	early, late := Begin(t, store, Alice, c, "k1"), Begin(t, store, Bob, c, "k2")
	if store.Set.Revoked(Bearer(early)) {
		t.Fatal("revoked before the end")
	}
	End(t, store, early.ID)
	if !store.Set.Revoked(Bearer(early)) || store.Set.Revoked(Bearer(late)) {
		t.Fatal("want only the ended session revoked when the call returns")
	}
	c.Advance(Access)
	End(t, store, late.ID)
	if store.Set.Revoked(Bearer(late)) {
		t.Fatal("revocation kept although every token of the session has expired")
	}
	if _, err := store.Sweep(t.Context(), c.Now(), 10); err != nil || store.Set.Len() != 0 {
		t.Fatalf("%v, %d: want no revocations that match nothing", err, store.Set.Len())
	}
}

// revokeLostSession: the tokens of a session that is not stored are refused, and those of the
// user's other sessions are not. A revocation that matches no valid token is not kept.
func revokeLostSession(t *testing.T, store Store, c *Clock) {
	lost, kept := NewSession(Alice, c), Begin(t, store, Alice, c, "k1")
	Must(t, store.RevokeSession(t.Context(), lost.ID, c.Now()))
	if store.Set.Len() != 0 {
		t.Fatal("the revocation of a session without valid tokens is kept")
	}
	for range 2 {
		Must(t, store.RevokeSession(t.Context(), lost.ID, c.Now().Add(Access)))
		if !store.Set.Revoked(Bearer(lost)) || store.Set.Revoked(Bearer(kept)) || store.Set.Len() != 1 {
			t.Fatal("want the tokens of only this session refused")
		}
	}
	if _, err := store.Session(t.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
	c.Advance(Access)
	if _, err := store.Sweep(t.Context(), c.Now(), 10); err != nil || store.Set.Len() != 0 {
		t.Fatalf("%v, %d: want no revocations that match nothing", err, store.Set.Len())
	}
}

func revokeKey(t *testing.T, store Store, c *Clock) {
	s := Begin(t, store, Alice, c, "k1")
	id := Bearer(s)
	Must(t, store.RevokeKey(t.Context(), "over", c.Now()))
	if store.Set.Len() != 0 {
		t.Fatal("the revocation of a key without valid tokens is kept")
	}
	Must(t, store.RevokeKey(t.Context(), id.Key, c.Now().Add(Access)))
	other := *id
	other.Key = "key2"
	if !store.Set.Revoked(id) || store.Set.Revoked(&other) {
		t.Fatal("want the tokens of only this key refused")
	}
	Must(t, store.RevokeKey(t.Context(), id.Key, c.Now().Add(time.Minute)))
	c.Advance(Access - time.Second)
	_, err := store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if !store.Set.Revoked(id) {
		t.Fatal("a shorter revocation cut a longer one")
	}
	c.Advance(time.Second)
	_, err = store.Sweep(t.Context(), c.Now(), 10)
	Must(t, err)
	if store.Set.Revoked(id) {
		t.Fatal("the revocation is kept after its end")
	}
}
