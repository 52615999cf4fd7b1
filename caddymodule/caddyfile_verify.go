package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("wxgate_verify", parseVerify)
	httpcaddyfile.RegisterDirectiveOrder("wxgate_verify", httpcaddyfile.Before, "reverse_proxy")
}

// parseVerify reads the site directive. All words but path_from are wxgate's, and
// stand above parseHandler:
//
//	wxgate_verify [<matcher>] {
//	    app       <appid>...
//	    public    <path>...
//	    optional  <path>...
//	    require   phone|unionid|app <appid>... on <path>...
//	    token_from header [<name>] | query <name> | cookie <name>
//	    headers   { ... }
//	    on_stale  allow <duration> | deny
//	    path_from forwarded|original|request
//	}
func parseVerify(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	v := new(Verify)
	return v, v.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive; its grammar stands above parseVerify.
func (v *Verify) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	var h Handler
	for d.Next() {
		if d.NextArg() {
			return d.ArgErr()
		}
		all := h.words(d)
		known := map[string]func() error{"path_from": v.parsePathFrom(d)}
		for _, word := range []string{"app", "public", "optional", "require", "token_from", "headers", "on_stale"} {
			known[word] = all[word]
		}
		if err := (words{d: d, repeatable: repeatableWords, known: known}).block(); err != nil {
			return err
		}
	}
	v.Apps, v.Public, v.Optional, v.Require, v.TokenFrom, v.Headers, v.OnStale = h.Apps, h.Public, h.Optional, h.Require, h.TokenFrom, h.Headers, h.OnStale
	return nil
}

func (v *Verify) parsePathFrom(d *caddyfile.Dispenser) func() error {
	return func() error {
		if err := one(d, &v.PathFrom)(); err != nil {
			return err
		}
		if _, ok := pathHeaders[v.PathFrom]; !ok {
			return d.Errf("unrecognized path_from %q; expected one of: forwarded, original, request", v.PathFrom)
		}
		return nil
	}
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Verify)(nil)
