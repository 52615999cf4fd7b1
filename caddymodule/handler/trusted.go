package handler

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// reservedAddresses are addresses that no proxy can have (RFC 1122 section 3.2.1.3,
// RFC 1112 section 4, and an IPv6 block that no registry assigns), one in each
// half of the IPv4 address space. If trusted_proxies contains one of them, it trusts
// at least half of the address space.
var reservedAddresses = [...]string{"0.0.0.1:1", "240.0.0.1:1", "[2000::1]:1"}

// trustsEveryone reports whether the trusted_proxies of the handler's server
// contain the whole address space, or half of it: `0.0.0.0/0`, `::/0`, or two
// prefixes that add up to them. Caddy keeps the list private, so this asks Caddy
// about addresses, which works for every source of trusted proxies.
func trustsEveryone(ctx caddy.Context) bool {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return false
	}
	for _, address := range reservedAddresses {
		r := &http.Request{Method: http.MethodGet, URL: new(url.URL), Header: http.Header{}, RemoteAddr: address}
		r = caddyhttp.PrepareRequest(r.WithContext(ctx), caddy.NewReplacer(), nil, server)
		if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
			return true
		}
	}
	return false
}

// warnOfTrust warns at load if clients can choose the address that limits and access
// logs attribute their requests to.
func warnOfTrust(ctx caddy.Context) {
	if trustsEveryone(ctx) {
		ctx.Logger().Warn("trusted_proxies contains every address: any client can forge its own address with X-Forwarded-For and escape limit login; list only the addresses of your proxies")
	}
}
