package keyring_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// published returns the IDs in the key set.
func (g *gateway) published(tb testing.TB) map[auth.KeyID]bool {
	tb.Helper()
	var set struct {
		Keys []struct {
			Kid auth.KeyID `json:"kid"`
		} `json:"keys"`
	}
	body, _ := g.Ring.JWKS()
	if err := json.Unmarshal(body, &set); err != nil {
		tb.Fatal(err)
	}
	ids := map[auth.KeyID]bool{}
	for _, k := range set.Keys {
		ids[k.Kid] = true
	}
	return ids
}

func (g *gateway) mustTick(tb testing.TB) {
	tb.Helper()
	if err := g.Ring.Tick(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// states counts the keys by their state.
func (g *gateway) states() map[keyring.KeyState]int {
	n := map[keyring.KeyState]int{}
	for _, k := range g.Ring.Keys() {
		n[k.State]++
	}
	return n
}

// TestRotationByTime simulates half a day. Every minute it issues a token, checks that the
// oldest token that has not expired is valid, and that the key that signed was published longer
// than clients cache the key set.
func TestRotationByTime(t *testing.T) {
	t.Parallel()
	const rotate, access = 2 * time.Hour, 30 * time.Minute
	g := newGateway(t, func(c *keyring.Config) { c.Rotate, c.Access = rotate, access })
	first := g.Ring.Keys()[0].ID
	since := map[auth.KeyID]time.Time{first: start.Add(-keyring.PublishAhead)}
	signed := map[auth.KeyID]int{}
	var valid []string
	for range 12 * 60 {
		g.mustTick(t)
		now := g.Clock.Now()
		ids := g.published(t)
		for id := range ids {
			if since[id].IsZero() {
				since[id] = now
			}
		}
		raw := g.MustIssue(t, g.User(access))
		id := g.MustVerify(t, raw)
		if !ids[id.Key] || now.Sub(since[id.Key]) < keyring.PublishAhead {
			t.Fatalf("%s: %s signs, published since %s", now, id.Key, since[id.Key])
		}
		signed[id.Key]++
		valid = append(valid, raw)
		if len(valid) > int(access/time.Minute) {
			valid = valid[1:]
		}
		g.MustVerify(t, valid[0]) // the oldest token that has not expired
		if n := len(ids); n > 3 {
			t.Fatalf("%s: %d keys are kept", now, n)
		}
		g.Clock.Add(time.Minute)
	}
	if n := len(signed); n != 6 { // 12 hours by 2
		t.Errorf("%d keys signed", n)
	}
	for id, n := range signed {
		if n > int(rotate/time.Minute) {
			t.Errorf("%s signed for %d minutes", id, n)
		}
	}
	if g.published(t)[first] {
		t.Error("the first key is still published")
	}
}

// TestTinyRotation: with a short rotation interval, a key is published for half of the interval
// before it signs.
func TestTinyRotation(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Rotate, c.Access = 4*time.Minute, time.Minute })
	for range 60 {
		g.mustTick(t)
		g.MustVerify(t, g.MustIssue(t, g.User(time.Minute)))
		g.Clock.Add(time.Minute)
	}
	if n := len(g.Ring.Keys()); n > 4 {
		t.Errorf("%d keys", n)
	}
}

func TestRotateByHand(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	old := g.Ring.Keys()[0].ID
	before := g.MustIssue(t, g.User(time.Hour))
	next, made, err := g.Ring.Rotate(t.Context(), false)
	if err != nil || !made || next == old {
		t.Fatalf("got %s, made %v, %v", next, made, err)
	}
	if again, made, err := g.Ring.Rotate(t.Context(), false); err != nil || again != next || made {
		t.Errorf("a second rotation returned %s, made %v, %v", again, made, err)
	}
	if !g.published(t)[next] || g.states()[keyring.KeyNext] != 1 {
		t.Errorf("%s is not published: %+v", next, g.Ring.Keys())
	}
	if id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour))); id.Key != old {
		t.Errorf("%s signs already", id.Key)
	}
	g.Clock.Add(keyring.PublishAhead)
	if id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour))); id.Key != next {
		t.Errorf("%s still signs", id.Key)
	}
	g.MustVerify(t, before)
	now, _, err := g.Ring.Rotate(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour))); id.Key != now {
		t.Errorf("%s signs, not %s", id.Key, now)
	}
}

// TestRotateHurried makes the next key sign at once.
func TestRotateHurried(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	next, _, err := g.Ring.Rotate(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if now, made, err := g.Ring.Rotate(t.Context(), true); err != nil || now != next || made {
		t.Fatalf("got %s, made %v, %v", now, made, err)
	}
	if id := g.MustVerify(t, g.MustIssue(t, g.User(time.Hour))); id.Key != next {
		t.Errorf("%s signs", id.Key)
	}
}

// TestShorterLives: with a shorter lifetime and more frequent rotations, a configuration keeps
// no more keys than the shorter lifetime requires.
func TestShorterLives(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *keyring.Config) { c.Access = keyring.MaxAccess })
	long := g.MustIssue(t, g.User(keyring.MaxAccess))
	g.reconfigure(t, func(c *keyring.Config) { c.Access, c.Rotate = time.Hour, time.Hour })
	for range 6 * (keyring.MaxKeys + 6) { // so many hours, in steps of ten minutes
		g.mustTick(t)
		g.MustVerify(t, g.MustIssue(t, g.User(time.Hour)))
		g.MustVerify(t, long)
		g.Clock.Add(10 * time.Minute)
	}
	if keys := g.Ring.Keys(); len(keys) > 5 { // the first, with its token; one an hour
		t.Errorf("%d keys are kept", len(keys))
	}
}
