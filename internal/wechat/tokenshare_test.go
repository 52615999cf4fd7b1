package wechat_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/wechat"
)

// place is a fake TokenShare for the replicas of a test. If broken is set, every call returns
// it.
type place struct {
	mu     sync.Mutex
	kept   wechat.SharedToken
	leased time.Time // the end of the lease
	broken error
	keeps  int
}

func (p *place) Load(context.Context) (wechat.SharedToken, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept, p.broken
}

func (p *place) Keep(_ context.Context, token wechat.SharedToken) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = token
	p.keeps++
	return p.broken
}

func (p *place) Lease(_ context.Context, ttl time.Duration) (func(), bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil || time.Now().Before(p.leased) {
		return func() {}, false, p.broken
	}
	p.leased = time.Now().Add(ttl)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.leased = time.Time{}
	}, true, nil
}

func (p *place) set(change func(*place)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// replicas returns clients of one app that share a token.
func replicas(t *testing.T, n int, weChat *fakePlatform, share *place) []*wechat.TokenCache {
	t.Helper()
	all := make([]*wechat.TokenCache, n)
	for i := range all {
		all[i] = mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: weChat, Share: share}).AccessTokens()
	}
	return all
}

// askAll makes every replica use a token at the same time.
func askAll(t *testing.T, all []*wechat.TokenCache, want string) {
	t.Helper()
	var group sync.WaitGroup
	for _, tokens := range all {
		group.Go(func() {
			if got, err := tokens.Token(t.Context()); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	group.Wait()
}

// A hundred replicas make one fetch, one more for a renewal, and one more when WeChat refuses
// the token. No replica uses the refused token again.
func TestTokenIsFetchedOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		weChat := newPlatform().on(tokenPath, numbered(7200)...)
		all := replicas(t, 100, weChat, &place{})
		askAll(t, all, "token-1")
		wantCalls(t, weChat, tokenPath, 1)

		time.Sleep(7200*time.Second - 4*time.Minute) // due for renewal
		askAll(t, all, "token-1")                    // no caller waits for the renewal
		time.Sleep(5 * time.Second)
		askAll(t, all, "token-2")
		wantCalls(t, weChat, tokenPath, 2)

		for _, tokens := range all {
			tokens.Invalidate("token-2")
		}
		askAll(t, all, "token-3")
		wantCalls(t, weChat, tokenPath, 3)
	})
}

// If a replica crashes during a fetch, the others wait until its lease ends, but not longer.
func TestTokenOfADeadReplica(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		weChat := newPlatform().on(tokenPath, numbered(7200)...)
		share := &place{leased: time.Now().Add(5 * time.Second)}
		all := replicas(t, 3, weChat, share)
		began := time.Now()
		askAll(t, all, "token-1")
		if took := time.Since(began); took < 5*time.Second || took > 7*time.Second {
			t.Errorf("it took %v", took)
		}
		wantCalls(t, weChat, tokenPath, 1)
	})
}

// If sharing fails, every replica fetches its own token, without a delay.
func TestTokenIsFetchedIfSharingFails(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	synctest.Test(t, func(t *testing.T) {
		weChat := newPlatform().on(tokenPath, numbered(7200)...)
		share := &place{broken: down}
		all := replicas(t, 2, weChat, share)
		began := time.Now()
		for i, tokens := range all {
			got, err := tokens.Token(t.Context())
			wantToken(t, got, err, []string{"token-1", "token-2"}[i])
		}
		if took := time.Since(began); took != 2*time.Second { // the delay of numbered
			t.Errorf("it took %v", took)
		}
		share.set(func(p *place) { p.broken = nil })
		late := replicas(t, 1, weChat, share)
		askAll(t, late, "token-3")
		askAll(t, replicas(t, 1, weChat, share), "token-3")
		wantCalls(t, weChat, tokenPath, 3)
	})
}

// A shared value that is not a token, or that has expired, is not used.
func TestTokenThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]wechat.SharedToken{
		"no token":         {Token: "", Expires: time.Unix(1<<40, 0)},
		"not a token":      {Token: "a\r\nb", Expires: time.Unix(1<<40, 0)},
		"over":             {Token: "old", Expires: time.Unix(1, 0)},
		"due for renewal":  {Token: "old"},
		"fetched long ago": {Token: "old", Fetched: time.Unix(1, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if kept.Expires.IsZero() {
					kept.Expires = time.Now().Add(4 * time.Minute)
				}
				weChat := newPlatform().on(tokenPath, numbered(7200)...)
				share := &place{kept: kept}
				askAll(t, replicas(t, 1, weChat, share), "token-1")
				if share.kept.Token != "token-1" || share.keeps != 1 || time.Until(share.kept.Expires) != 7199*time.Second {
					t.Errorf("kept %+v", share.kept)
				}
			})
		})
	}
}

// The token of a component is shared like an app's.
func TestComponentTokenIsFetchedOnceForAll(t *testing.T) {
	t.Parallel()
	weChat := newPlatform().on("/component-token", componentToken("component-1")).on("/sns/component/jscode2session", respond(goodLogin))
	share := &place{}
	for range 5 {
		client, err := wechat.New(wechat.Config{
			AppID: app, API: "http://wechat.invalid", Transport: weChat, Share: share,
			Component: &wechat.Component{AppID: "wxcomponent", TokenURL: "http://tickets.invalid/component-token"},
		})
		wantErr(t, err, nil)
		t.Cleanup(client.Close)
		_, err = client.Exchange(t.Context(), "code")
		wantErr(t, err, nil)
	}
	wantCalls(t, weChat, "/component-token", 1)
}
