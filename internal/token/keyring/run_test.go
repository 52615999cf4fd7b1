package keyring_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

// runGateway starts a gateway and its ring's Run in a bubble. stop ends both.
func runGateway(t *testing.T, change func(*keyring.Config)) (g *gateway, stop func()) {
	t.Helper()
	g = newGateway(t, func(c *keyring.Config) {
		c.Now = time.Now
		if change != nil {
			change(c)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Ring.Run(ctx)
	}()
	return g, func() {
		cancel()
		<-done
		g.Close()
	}
}

// login issues a token at the fake time.
func (g *gateway) login(t *testing.T) string {
	t.Helper()
	id := g.User(time.Hour)
	id.IssuedAt, id.Expires = time.Now(), time.Now().Add(time.Hour)
	return g.MustIssue(t, id)
}

func TestRunRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, stop := runGateway(t, func(c *keyring.Config) { c.Rotate = 3 * time.Hour })
		defer stop()
		old := g.MustVerify(t, g.login(t)).Key
		time.Sleep(3*time.Hour - keyring.PublishAhead + keyring.ReloadEvery)
		if g.states()[keyring.KeyNext] != 1 {
			t.Fatalf("no next key: %+v", g.Ring.Keys())
		}
		raw := g.login(t)
		if g.MustVerify(t, raw).Key != old {
			t.Error("the next key signs too early")
		}
		time.Sleep(keyring.PublishAhead)
		if g.MustVerify(t, g.login(t)).Key == old {
			t.Error("the next key does not sign in time")
		}
		time.Sleep(49 * time.Minute)
		g.MustVerify(t, raw)
		time.Sleep(20 * time.Minute)
		if g.published(t)[old] {
			t.Error("the old key is published after its last token has ended")
		}
	})
}

// TestRunReloadsAfterUnknownKeys: a token of a key that another replica has just created is
// accepted seconds later, but a flood of forged IDs causes one read at most.
func TestRunReloadsAfterUnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counting := &counter{Storage: &tokentest.Storage{}}
		g, stop := runGateway(t, func(c *keyring.Config) { c.Storage = counting })
		defer stop()
		other, err := keyring.Open(t.Context(), g.Config)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := other.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		there := &gateway{&tokentest.Gateway{Tokens: tokentest.NewTokens(t, other, g.Config), Clock: g.Clock}}
		defer there.Close()
		raw := there.login(t)
		time.Sleep(keyring.HintGap)
		g.mustRefuse(t, raw, ruleNoKey)
		synctest.Wait()
		g.MustVerify(t, raw)

		reads := counting.reads.Load()
		forger := newGateway(t, func(c *keyring.Config) { c.Now = time.Now })
		defer forger.Close()
		forged := forger.login(t)
		for range 1000 {
			g.mustRefuse(t, forged, ruleNoKey)
			synctest.Wait()
		}
		if n := counting.reads.Load() - reads; n > 1 {
			t.Errorf("a flood of unknown keys caused %d reads", n)
		}
	})
}

// TestRunReloadsAfterChanged: after a call of Changed, a replica stops signing with a key that
// another replica retired.
func TestRunReloadsAfterChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, stop := runGateway(t, nil)
		defer stop()
		other, err := keyring.Open(t.Context(), g.Config)
		if err != nil {
			t.Fatal(err)
		}
		leaked := g.MustVerify(t, g.login(t)).Key
		if _, err := other.Retire(t.Context(), leaked); err != nil {
			t.Fatal(err)
		}
		raw := g.login(t)
		if g.MustVerify(t, raw).Key != leaked {
			t.Fatal("the ring was reloaded before the call of Changed")
		}
		g.Ring.Changed()
		synctest.Wait()
		g.mustRefuse(t, raw, ruleNoKey)
		if by := g.MustVerify(t, g.login(t)).Key; by == leaked {
			t.Errorf("%s still signs", by)
		}
	})
}

type counter struct {
	*tokentest.Storage
	reads atomic.Int64
}

func (c *counter) Load(ctx context.Context) ([]byte, error) {
	c.reads.Add(1)
	return c.Storage.Load(ctx)
}

func TestRunReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("disk failed")
		var reported atomic.Value
		g, stop := runGateway(t, func(c *keyring.Config) { c.Report = func(err error) { reported.Store(err) } })
		g.Storage.Set(func(s *tokentest.Storage) { s.Broken = down })
		time.Sleep(keyring.ReloadEvery)
		synctest.Wait()
		if err, _ := reported.Load().(error); !errors.Is(err, down) {
			t.Errorf("reported %v", err)
		}
		g.MustVerify(t, g.login(t))
		stop()
		g.Ring.Run(canceled(t)) // ends at once
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// stuck is a storage that stops responding on demand.
type stuck struct {
	*tokentest.Storage
	on atomic.Bool
}

func (s *stuck) Load(ctx context.Context) ([]byte, error) {
	if s.on.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Storage.Load(ctx)
}

// TestRunTimesOut: Run gives up after 20 seconds on a storage that does not respond.
func TestRunTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{Storage: &tokentest.Storage{}}
		var reported atomic.Value
		_, stop := runGateway(t, func(c *keyring.Config) {
			c.Storage, c.Report = s, func(err error) { reported.Store(err) }
		})
		defer stop()
		s.on.Store(true)
		time.Sleep(keyring.ReloadEvery + 20*time.Second - 1)
		synctest.Wait()
		if err := reported.Load(); err != nil {
			t.Fatalf("too early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err, _ := reported.Load().(error); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, auth.ErrStoreUnavailable) {
			t.Errorf("reported %v", err)
		}
	})
}
