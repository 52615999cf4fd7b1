package keyring

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// settings returns a configuration for the tests of a state.
func settings(change func(*Config)) *Config {
	cfg := &Config{Alg: signing.EdDSA, Issuer: "i", Audiences: []string{"a"}, Access: 10 * time.Minute, Rotate: time.Hour}
	if change != nil {
		change(cfg)
	}
	return cfg
}

// given makes a record that of a configured key.
func given(r *record) *record {
	r.Given = true
	return r
}

// TestMaintainNext: a next key is created early enough that clients know it before it signs,
// and never for a configured key.
func TestMaintainNext(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		r      *record
		rotate time.Duration
		now    time.Time
		next   int // when it signs, 0 without one
	}{
		"not due":        {rec("a", 10, 0), time.Hour, at(60).Add(-1), 0},
		"due":            {rec("a", 10, 0), time.Hour, at(60), 70},
		"a little late":  {rec("a", 10, 0), time.Hour, at(65), 75},
		"very late":      {rec("a", 10, 0), time.Hour, at(200), 210},
		"short, not due": {rec("a", 10, 0), 4 * time.Minute, at(12).Add(-1), 0},
		"short, due":     {rec("a", 10, 0), 4 * time.Minute, at(12), 14},
		"given":          {given(rec("a", 10, 0)), time.Hour, at(200), 0},
	} {
		s := &state{Keys: []*record{row.r}}
		if err := s.maintain(settings(func(c *Config) { c.Rotate = row.rotate }), row.now); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		next := 0
		if r := s.next(row.now); r != nil {
			next = minutes(r.SignsFrom)
		}
		if next != row.next || !row.r.RetiredAt.Equal(at(row.next)) || len(s.Keys) > 2 {
			t.Errorf("%s: the next key signs from %d, want %d; keys %s", name, next, row.next, keysOf(s))
		}
	}
	if err := new(state).maintain(settings(nil), at(10)); !errors.Is(err, ErrNoSigner) {
		t.Errorf("no keys: got %v, want ErrNoSigner", err)
	}
}

// TestMaintainAccess raises the lifetime of the key that signs here, of the state's signer and
// of the next key, and lowers none; a new key starts with the configured lifetime.
func TestMaintainAccess(t *testing.T) {
	t.Parallel()
	for access, want := range map[time.Duration]time.Duration{
		time.Minute: 10 * time.Minute, 10 * time.Minute: 10 * time.Minute, time.Hour: time.Hour,
	} {
		s := &state{Keys: []*record{rec("old", 5, 10), rec("a", 10, 40), rec("b", 40, 0)}}
		if err := s.maintain(settings(func(c *Config) { c.Access = access }), at(15)); err != nil {
			t.Fatal(err)
		}
		if s.Keys[0].current().Access != 10*time.Minute || s.Keys[1].current().Access != want || s.Keys[2].current().Access != want {
			t.Errorf("%v: got %v, %v, %v", access, s.Keys[0].current().Access, s.Keys[1].current().Access, s.Keys[2].current().Access)
		}
	}
	s := &state{Keys: []*record{rec("a", 10, 0)}}
	if err := s.maintain(settings(func(c *Config) { c.Access = time.Minute }), at(65)); err != nil || len(s.Keys) != 2 {
		t.Fatalf("keys %s, %v", keysOf(s), err)
	}
	if got := s.Keys[1].current().Access; got != time.Minute || s.Keys[1].ID == "a" || s.Keys[1].Alg != signing.EdDSA {
		t.Errorf("the new key has a lifetime of %v", got)
	}
}

// TestMaintainHere: a replaced key is not retired as long as a replica signs with it, because
// only the other replica has the private half of its successor.
func TestMaintainHere(t *testing.T) {
	t.Parallel()
	key, err := signing.Generate(signing.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		retired, now, want int
	}{
		"before": {30, 20, 30}, "then": {30, 30, 30}, "after": {30, 35, 35},
	} {
		s := &state{Keys: []*record{given(rec("", 10, row.retired)), given(rec("b", row.retired, 0))}}
		s.Keys[0].ID = key.ID()
		if err := s.maintain(settings(func(c *Config) { c.Key = key }), at(row.now)); err != nil {
			t.Fatal(err)
		}
		if got := minutes(s.Keys[0].RetiredAt); got != row.want || len(s.Keys) != 2 {
			t.Errorf("%s: retired at %d, want %d", name, got, row.want)
		}
	}
}

func TestSignsHere(t *testing.T) {
	t.Parallel()
	secret := given(rec("s", 30, 0))
	secret.Alg = signing.HS256
	for name, row := range map[string]struct {
		keys []*record
		now  int
		want string
	}{
		"none":            {nil, 20, ""},
		"generated":       {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, 20, "b"},
		"not started":     {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, 19, "a"},
		"clock behind":    {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, 9, "a"},
		"given elsewhere": {[]*record{rec("a", 10, 20), given(rec("b", 20, 0))}, 30, "a"},
		"given secret":    {[]*record{rec("a", 10, 30), secret}, 30, "s"},
		"given only":      {[]*record{given(rec("b", 20, 0))}, 30, ""},
	} {
		s := &state{Keys: row.keys}
		if got := idOf(s.signsHere(settings(nil), at(row.now))); got != row.want {
			t.Errorf("%s: %q signs, want %q", name, got, row.want)
		}
	}
}

// TestFollow: the following key has the algorithm and the profile of the previous one.
func TestFollow(t *testing.T) {
	t.Parallel()
	a := rec("a", 10, 0)
	a.Alg = signing.ES256
	a.current().EndedAt = at(12)
	s := &state{Keys: []*record{a}}
	r, err := s.follow(a, at(20), at(30))
	if err != nil {
		t.Fatal(err)
	}
	p := r.current()
	if r.Alg != signing.ES256 || r.Given || !r.CreatedAt.Equal(at(20)) || !r.SignsFrom.Equal(at(30)) || !a.RetiredAt.Equal(at(30)) {
		t.Errorf("got %+v after %+v", r, a)
	}
	if !p.same("i", []string{"a"}) || p.Access != 10*time.Minute || !p.EndedAt.IsZero() || !slices.Equal(s.Keys, []*record{a, r}) {
		t.Errorf("got %+v in %s", p, keysOf(s))
	}
}
