package keyring_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

// replicas are two gateways over one storage, with separate configurations and clocks,
// and the tokens that they have issued.
type replicas struct {
	t     *testing.T
	rand  *rand.Rand
	clock *tokentest.Clock
	skew  time.Duration // of the second replica's clock
	both  [2]*gateway
	keys  []*signing.Key
	valid []issuedToken
}

// issuedToken is a token and its expiry by the clock that is ahead.
type issuedToken struct {
	raw   string
	until time.Time
}

// TestRingModel makes two replicas change their configuration, rotate their keys, restart and
// run, in random order. A token is valid at once on the replica that issued it, and on both as
// soon as each has read the ring, until it expires. Their clocks differ by up to MaxSkew.
func TestRingModel(t *testing.T) {
	t.Parallel()
	const seeds, steps = 4, 25
	for seed := range uint64(seeds) {
		r := newReplicas(t, rand.New(rand.NewPCG(seed, 0)))
		for step := range steps {
			r.step()
			r.issue()
			r.tick()
			if t.Failed() {
				t.Fatalf("seed %d, step %d, clocks %v apart", seed, step, r.skew)
			}
		}
	}
}

func newReplicas(t *testing.T, from *rand.Rand) *replicas {
	t.Helper()
	r := &replicas{t: t, rand: from, keys: []*signing.Key{nil, nil, nil, givenKey(t, 1), givenKey(t, 2)}}
	most := int64(keyring.MaxSkew / time.Second)
	r.skew = time.Duration(from.Int64N(2*most)-most) * time.Second
	first := newGateway(t, r.configure)
	r.clock = first.Clock
	second := &gateway{&tokentest.Gateway{Config: first.Config, Clock: first.Clock, Storage: first.Storage}}
	r.configure(&second.Config)
	second.Config.Now = func() time.Time { return r.clock.Now().Add(r.skew) }
	r.both = [2]*gateway{first, second}
	r.restart(second)
	r.tick()
	return r
}

// configure changes every setting that may differ between two replicas.
func (r *replicas) configure(c *keyring.Config) {
	c.Issuer = pick(r.rand, "a", "b")
	c.Audiences = pick(r.rand, []string{"x"}, []string{"x", "y"}, []string{"y"}, []string{"y", "x"}, []string{"x", "z"})
	c.Access = pick(r.rand, time.Minute, 20*time.Minute, time.Hour)
	c.Rotate = pick(r.rand, 4*time.Minute, 30*time.Minute, 2*time.Hour)
	if c.Key, c.Alg = pick(r.rand, r.keys...), signing.EdDSA; c.Key == nil {
		c.Alg = pick(r.rand, signing.EdDSA, signing.ES256, signing.HS256)
	}
}

func pick[T any](from *rand.Rand, of ...T) T { return of[from.IntN(len(of))] }

// step performs one random operation.
func (r *replicas) step() {
	g := r.both[r.rand.IntN(len(r.both))]
	switch r.rand.IntN(10) {
	case 0, 1:
		g.reconfigure(r.t, r.configure)
		g.Tokens = tokentest.NewTokens(r.t, g.Ring, g.Config)
	case 2:
		_, _, err := g.Ring.Rotate(r.t.Context(), r.rand.IntN(2) == 0)
		if err != nil && !errors.Is(err, keyring.ErrKeyGiven) {
			r.t.Errorf("rotating: %v", err)
		}
	case 3:
		r.restart(g)
	default:
		for range 1 + r.rand.IntN(20) {
			r.clock.Add(time.Minute)
			r.tick()
		}
	}
}

func (r *replicas) restart(g *gateway) {
	r.t.Helper()
	var err error
	if g.Ring, err = keyring.Open(r.t.Context(), g.Config); err != nil {
		r.t.Fatal(err)
	}
	g.Tokens = tokentest.NewTokens(r.t, g.Ring, g.Config)
}

// issue makes each replica issue a token with its configured lifetime.
func (r *replicas) issue() {
	for i, g := range r.both {
		now := g.Config.Now()
		id := g.User(g.Config.Access)
		id.IssuedAt, id.Expires = now, now.Add(g.Config.Access)
		raw, err := g.Issue(id)
		if err != nil {
			r.t.Errorf("replica %d issues: %v", i, err)
			continue
		}
		if _, err := g.Verify(raw); err != nil {
			r.t.Errorf("replica %d refuses its own token: %v", i, err)
		}
		r.valid = append(r.valid, issuedToken{raw, id.Expires.Add(-max(r.skew, 0))})
	}
}

// tick makes each replica read the ring and verify all tokens that have not expired.
func (r *replicas) tick() {
	r.t.Helper()
	order := r.rand.IntN(2)
	for _, g := range []*gateway{r.both[order], r.both[1-order], r.both[order]} {
		g.mustTick(r.t)
	}
	var valid []issuedToken
	for _, p := range r.valid {
		if !r.clock.Now().Before(p.until) {
			continue
		}
		valid = append(valid, p)
		for i, g := range r.both {
			if _, err := g.Verify(p.raw); err != nil {
				r.t.Errorf("replica %d, a token that expires in %v: %v", i, p.until.Sub(r.clock.Now()), err)
			}
		}
	}
	r.valid = valid
}
