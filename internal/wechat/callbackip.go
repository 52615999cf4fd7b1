package wechat

import (
	"context"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// addressesEvery is how long WeChat's addresses are used before they are fetched again.
	// WeChat recommends once a day, and limits the number of calls.
	addressesEvery = 12 * time.Hour
	// addressesRetry is the least time between two fetches after a failure.
	addressesRetry = 10 * time.Minute
	// addressesLife is how long they are known if no fetch succeeds.
	addressesLife = 3 * 24 * time.Hour
	// maxAddresses bounds the list. WeChat has some hundred addresses.
	maxAddresses = 10_000
)

// addressList is the list of the addresses from which WeChat's servers call. It is safe for
// concurrent use.
type addressList struct {
	mu      sync.Mutex // guards all below
	list    []netip.Prefix
	fetched time.Time // zero until it is known
	due     time.Time // of the next fetch
	running bool
}

// IsCallbackAddress reports whether WeChat's servers call from an address, as far as that is
// known: it never waits for WeChat. The first calls start a fetch of the list in the
// background, and later ones renew it. It is not known on other platforms, and without an
// access token of the app.
func (c *Client) IsCallbackAddress(ctx context.Context, addr netip.Addr) (known, ours bool) {
	if c.cfg.Platform != WeChat || c.cfg.Kind == Website || c.component != nil {
		return false, false
	}
	c.addresses.mu.Lock()
	defer c.addresses.mu.Unlock()
	now := c.cfg.Now()
	if !c.addresses.running && !now.Before(c.addresses.due) {
		c.addresses.running = c.fetchAddresses(ctx)
	}
	if c.addresses.fetched.IsZero() || now.Sub(c.addresses.fetched) >= addressesLife {
		return false, false
	}
	addr = addr.Unmap().WithZone("")
	for _, prefix := range c.addresses.list {
		if prefix.Contains(addr) {
			return true, true
		}
	}
	return true, false
}

// fetchAddresses starts a fetch, which belongs to the trace of the caller and outlives it. It
// is called with the lock held.
func (c *Client) fetchAddresses(caller context.Context) (started bool) {
	if !c.tasks.begin() {
		return false
	}
	// This goroutine ends with the client.
	go func() {
		defer c.tasks.running.Done()
		ctx, end := c.tasks.outlive(caller)
		defer end()
		list, err := c.callbackAddresses(ctx)
		c.addresses.land(c.cfg.Now(), list, err)
	}()
	return true
}

// land stores the result of a fetch. After a failure the old list stays. The failure itself
// is reported by [Config.Observe].
func (a *addressList) land(now time.Time, list []netip.Prefix, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = false
	if err != nil {
		a.due = now.Add(addressesRetry)
		return
	}
	a.list, a.fetched, a.due = list, now, now.Add(addressesEvery)
}

// callbackAddresses makes GET /cgi-bin/getcallbackip. The call has no effects, so it may be
// retried.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/openApi-mgnt/getCallbackIp.html
func (c *Client) callbackAddresses(ctx context.Context) (list []netip.Prefix, err error) {
	err = c.withToken(ctx, func(ctx context.Context, token string) error {
		return guard.RetryOnce(ctx, c.dialect, func() error {
			list, err = c.listAddresses(ctx, token)
			return err
		})
	})
	return list, err
}

func (c *Client) listAddresses(ctx context.Context, token string) (list []netip.Prefix, err error) {
	var answer struct {
		List []string `json:"ip_list"`
	}
	err = c.peer.do(ctx, platform.Request{
		Name:    platform.CallAddresses,
		Path:    "/cgi-bin/getcallbackip",
		Query:   url.Values{"access_token": {token}},
		Secrets: []string{token},
	}, c.decode(platform.CallAddresses, &answer, func() error {
		var ok bool
		if list, ok = parsePrefixes(answer.List); !ok {
			return platform.Incomplete(platform.CallAddresses, "ip_list")
		}
		return nil
	}))
	return list, err
}

// parsePrefixes reads a list of addresses, and of networks in CIDR notation. An empty one
// would refuse WeChat itself.
func parsePrefixes(texts []string) ([]netip.Prefix, bool) {
	if len(texts) == 0 || len(texts) > maxAddresses {
		return nil, false
	}
	list := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return nil, false
			}
			addr = addr.Unmap()
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, prefix)
	}
	return list, true
}
