package wechat

import (
	"context"
	"net/netip"
	"net/url"

	"github.com/wxgate/wxgate/internal/wechat/addresses"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// IsCallbackAddress reports whether WeChat's servers call from an address. It never waits for
// WeChat: the first call starts a fetch of the list in the background, and later calls renew
// the list. known is false until the list was fetched, and always on other platforms and for
// apps without an access token.
func (c *Client) IsCallbackAddress(ctx context.Context, addr netip.Addr) (known, ours bool) {
	if c.cfg.Platform != WeChat || c.cfg.Kind == Website || c.component != nil {
		return false, false
	}
	return c.addresses.Contains(addr, c.cfg.Now(), func() bool { return c.fetchAddresses(ctx) })
}

// fetchAddresses starts a fetch. It belongs to the trace of the caller and outlives the caller.
// A failure is reported to [Config.Observe].
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
		c.addresses.Land(c.cfg.Now(), list, err)
	}()
	return true
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
	var response struct {
		List []string `json:"ip_list"`
	}
	err = c.peer.do(ctx, platform.Request{
		Name:    platform.CallAddresses,
		Path:    "/cgi-bin/getcallbackip",
		Query:   url.Values{"access_token": {token}},
		Secrets: []string{token},
	}, c.decode(platform.CallAddresses, &response, func() error {
		var ok bool
		if list, ok = addresses.Parse(response.List); !ok {
			return platform.Incomplete(platform.CallAddresses, "ip_list")
		}
		return nil
	}))
	return list, err
}
