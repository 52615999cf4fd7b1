package openapi

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/openapi"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("wxgate_openapi", parseOpenAPI)
	httpcaddyfile.RegisterDirectiveOrder("wxgate_openapi", httpcaddyfile.Before, "reverse_proxy")
}

// parseOpenAPI reads the site directive:
//
//	wxgate_openapi [<matcher>] {
//	    app    <appid>...
//	    allow  <path>...
//	    expose insecure
//	}
func parseOpenAPI(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	o := new(OpenAPI)
	return o, o.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive; its grammar is above parseOpenAPI.
func (o *OpenAPI) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		if d.NextArg() {
			return d.ArgErr()
		}
		err := directive.Block{Dispenser: d, Repeatable: map[string]bool{"allow": true}, Options: map[string]func() error{
			"app":   directive.Many(d, &o.Apps),
			"allow": func() error { return o.parseAllow(d) },
			"expose": func() error {
				args := d.RemainingArgs()
				if len(args) != 1 || args[0] != "insecure" {
					return d.Err("expected expose insecure; any client that reaches the site can then act for the mini program")
				}
				o.ExposeInsecure = true
				return nil
			},
		}}.Parse()
		if err != nil {
			return err
		}
	}
	return nil
}

// parseAllow refuses, with its line, a path that is never served, although the
// configuration allows it.
func (o *OpenAPI) parseAllow(d *caddyfile.Dispenser) error {
	if err := directive.Paths(d, &o.Allow)(); err != nil {
		return err
	}
	if err := openapi.CheckAllowed(o.Allow); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*OpenAPI)(nil)
