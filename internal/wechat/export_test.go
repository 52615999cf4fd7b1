package wechat

import (
	"context"
	"net/netip"
)

// TokenCache caches the access token of a client.
type TokenCache = tokenCache

// AccessTokens returns the cache of the app's access token.
func (c *Client) AccessTokens() *TokenCache { return c.tokens }

// CallbackAddresses fetches the list behind [Client.IsCallbackAddress], and waits for it.
func (c *Client) CallbackAddresses(ctx context.Context) ([]netip.Prefix, error) {
	return c.callbackAddresses(ctx)
}
