package keyring

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// profilesOf writes the profiles of a record as "issuer audiences access-ended".
func profilesOf(r *record) []string {
	var profiles []string
	for _, p := range r.Profiles {
		profiles = append(profiles, fmt.Sprintf("%s %v %v-%d", p.Issuer, p.Audiences, p.Access, minutes(p.EndedAt)))
	}
	return profiles
}

// TestUse moves a key to another profile.
func TestUse(t *testing.T) {
	t.Parallel()
	other := Profile{Issuer: "o", Audiences: []string{"a"}, Access: time.Hour, EndedAt: at(15)}
	for name, row := range map[string]struct {
		before []Profile // besides that of rec
		cfg    *Config
		from   time.Time
		want   []string
	}{
		"the same":          {nil, settings(nil), at(10), []string{"i [a] 10m0s-0"}},
		"longer":            {nil, settings(func(c *Config) { c.Access = time.Hour }), at(10), []string{"i [a] 1h0m0s-0"}},
		"shorter":           {nil, settings(func(c *Config) { c.Access = time.Minute }), at(10), []string{"i [a] 10m0s-0"}},
		"another issuer":    {nil, settings(func(c *Config) { c.Issuer = "o" }), at(10), []string{"i [a] 10m0s-20", "o [a] 10m0s-0"}},
		"another audience":  {nil, settings(func(c *Config) { c.Audiences = []string{"b"} }), at(10), []string{"i [a] 10m0s-20", "i [b] 10m0s-0"}},
		"back to the other": {[]Profile{other}, settings(func(c *Config) { c.Issuer = "o" }), at(10), []string{"i [a] 10m0s-20", "o [a] 1h0m0s-0"}},
		"back, with longer": {[]Profile{other}, settings(func(c *Config) { c.Issuer, c.Access = "o", 2*time.Hour }), at(10), []string{"i [a] 10m0s-20", "o [a] 2h0m0s-0"}},
		"not started":       {[]Profile{other}, settings(func(c *Config) { c.Issuer = "x" }), at(20).Add(MaxSkew + 1), []string{"x [a] 10m0s-0"}},
		"perhaps started":   {nil, settings(func(c *Config) { c.Issuer = "x" }), at(20).Add(MaxSkew), []string{"i [a] 10m0s-20", "x [a] 10m0s-0"}},
	} {
		r := rec("a", 10, 0)
		r.SignsFrom, r.Profiles = row.from, append(slices.Clone(row.before), r.Profiles...)
		r.use(row.cfg, at(20))
		if got := profilesOf(r); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

// TestReconcile applies configurations that require a new key, a key of the ring, or the key
// that signs.
func TestReconcile(t *testing.T) {
	t.Parallel()
	es256 := func(c *Config) { c.Alg = signing.ES256 }
	old := func(r *record) *record { r.Alg = signing.ES256; return r }
	for name, row := range map[string]struct {
		keys   []*record
		change func(*Config)
		want   string // "new" is a new key
	}{
		"no keys":                {nil, nil, "new:50-0"},
		"the key that signs":     {[]*record{rec("a", 10, 0)}, nil, "a:10-0"},
		"another alg":            {[]*record{rec("a", 10, 0)}, es256, "a:10-50 new:50-0"},
		"another alg, in ring":   {[]*record{old(rec("b", 10, 20)), rec("a", 20, 0)}, es256, "a:20-50 b:10-0"},
		"the same, rotation due": {[]*record{old(rec("b", 10, 20)), rec("a", 20, 0)}, func(c *Config) { es256(c); c.Rotate = 40 * time.Minute }, "b:10-20 a:20-50 new:50-0"},
		"the same, almost due":   {[]*record{old(rec("b", 10, 20)), rec("a", 20, 0)}, func(c *Config) { es256(c); c.Rotate = 40*time.Minute + 1 }, "a:20-50 b:10-0"},
		"no longer given":        {[]*record{given(rec("a", 10, 0))}, nil, "a:10-50 new:50-0"},
		"with a next key":        {[]*record{rec("a", 10, 60), rec("b", 60, 0)}, nil, "a:10-60 b:60-0"},
		"another alg, with next": {[]*record{rec("a", 10, 60), rec("b", 60, 0)}, es256, "a:10-50 new:50-0"},
	} {
		s := &state{Keys: row.keys}
		known := slices.Clone(s.Keys)
		if err := s.reconcile(settings(row.change), at(50)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range s.Keys {
			if !slices.ContainsFunc(known, func(k *record) bool { return k.ID == r.ID }) {
				r.ID = "new"
			}
		}
		if got := keysOf(s); got != row.want {
			t.Errorf("%s: got %s, want %s", name, got, row.want)
		}
	}
}

// TestReconcileAccess: the profile that signs has the longest lifetime of both configurations.
func TestReconcileAccess(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*Config)
		want   time.Duration
	}{
		"shorter, another key":    {func(c *Config) { c.Alg, c.Access = signing.ES256, time.Minute }, 10 * time.Minute},
		"longer, another key":     {func(c *Config) { c.Alg, c.Access = signing.ES256, time.Hour }, time.Hour},
		"shorter, another issuer": {func(c *Config) { c.Issuer, c.Access = "o", time.Minute }, 10 * time.Minute},
	} {
		s := &state{Keys: []*record{rec("a", 10, 0)}}
		if err := s.reconcile(settings(row.change), at(20)); err != nil {
			t.Fatal(err)
		}
		if got := s.signer(at(20)).current().Access; got != row.want {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
}
