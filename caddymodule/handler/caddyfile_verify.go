package handler

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/directive"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("wxgate_verify", parseVerify)
	httpcaddyfile.RegisterDirectiveOrder("wxgate_verify", httpcaddyfile.Before, "reverse_proxy")
}

// parseVerify reads the site directive. All options except path_from are options of wxgate too,
// whose grammar is above parseHandler:
//
//	wxgate_verify [<matcher>] {
//	    app       <appid>...
//	    public    <path>...
//	    optional  <path>...
//	    require   phone|unionid|app <appid>...|fresh <duration>|risk <max> on <path>...
//	    token_from header [<name>] | query <name> | cookie <name>
//	    headers   { ... }
//	    on_stale  allow <duration> | deny
//	    web       { ... }
//	    path_from forwarded|original|request
//	}
func parseVerify(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	v := new(Verify)
	return v, v.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive; its grammar is above parseVerify.
func (v *Verify) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	var h Handler
	for d.Next() {
		if d.NextArg() {
			return d.ArgErr()
		}
		all := h.options(d)
		options := map[string]func() error{"path_from": v.parsePathFrom(d)}
		for _, option := range []string{"app", "public", "optional", "require", "token_from", "headers", "on_stale", "web"} {
			options[option] = all[option]
		}
		if err := (directive.Block{Dispenser: d, Repeatable: repeatable, Options: options}).Parse(); err != nil {
			return err
		}
	}
	v.Apps, v.Public, v.Optional, v.Require, v.TokenFrom, v.Headers, v.OnStale, v.Web = h.Apps, h.Public, h.Optional, h.Require, h.TokenFrom, h.Headers, h.OnStale, h.Web
	return nil
}

func (v *Verify) parsePathFrom(d *caddyfile.Dispenser) func() error {
	return func() error {
		if err := directive.One(d, &v.PathFrom)(); err != nil {
			return err
		}
		if err := checkPathFrom(v.PathFrom); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Verify)(nil)
