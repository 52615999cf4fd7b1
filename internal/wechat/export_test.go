package wechat

// TokenCache caches the access token of a client.
type TokenCache = tokenCache

// AccessTokens returns the cache of the app's access token.
func (c *Client) AccessTokens() *TokenCache { return c.tokens }
