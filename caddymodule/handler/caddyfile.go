package handler

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/gateway/cors"
	"github.com/wxgate/wxgate/internal/gateway/prefetch"
	"github.com/wxgate/wxgate/internal/gateway/wafer"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("wxgate", parseHandler)
	httpcaddyfile.RegisterDirectiveOrder("wxgate", httpcaddyfile.Before, "basic_auth")
}

// parseHandler reads the site directive:
//
//	wxgate [<matcher>] {
//	    prefix   <path>
//	    app      <appid>...
//	    public   <path>...
//	    optional <path>...
//	    require  phone|unionid|app <appid>...|fresh <duration>|risk <max> on <path>...
//	    token_from header [<name>] | query <name> | cookie <name>
//	    forward_token
//	    headers {
//	        openid|unionid|appid|source|session|phone|risk|app_version|app_env <name>
//	        assertion <name> <audience>
//	    }
//	    pass_from_trusted <header>...
//	    cors {
//	        origins <origin>...
//	        headers <name>...
//	        methods <method>...
//	        max_age <duration>
//	    }
//	    limit login|phone|decode|scan <n>/<duration> | inflight <n>
//	    on_stale allow <duration> | deny
//	    stream_grace <duration>
//	    compat wafer [<login path>]
//	    envelope {
//	        code|message|data <name>
//	        ok <value>
//	        status 200
//	    }
//	    metadata
//	    prefetch <path>
//	    web {
//	        url      <origin>
//	        official <appid> [userinfo|base]
//	        website  <appid>
//	        scan     <appid> [page <path>] [place <placeholder>]
//	        ticket
//	        cookie   <name>
//	        return   <origin>...
//	        theme    <accent> [<background>]
//	        pages    <folder>
//	    }
//	}
func parseHandler(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive; its grammar is above parseHandler.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		if d.NextArg() {
			return d.ArgErr()
		}
		if err := (directive.Block{Dispenser: d, Repeatable: repeatable, Options: h.options(d)}).Parse(); err != nil {
			return err
		}
	}
	return nil
}

var repeatable = map[string]bool{"public": true, "optional": true, "require": true, "limit": true}

// options returns the parsers of the options; wxgate_verify has a subset of them.
func (h *Handler) options(d *caddyfile.Dispenser) map[string]func() error {
	return map[string]func() error{
		"prefix":            h.parsePrefix(d),
		"app":               directive.Many(d, &h.Apps),
		"public":            directive.Paths(d, &h.Public),
		"optional":          directive.Paths(d, &h.Optional),
		"require":           func() error { return h.parseRequire(d) },
		"token_from":        func() error { return h.parseTokenFrom(d) },
		"forward_token":     directive.Flag(d, &h.ForwardToken),
		"headers":           func() error { return h.Headers.parse(d) },
		"pass_from_trusted": func() error { return h.parsePass(d) },
		"cors":              func() error { return h.parseCORS(d) },
		"limit":             func() error { return h.Limit.parse(d) },
		"on_stale":          func() error { return parseOnStale(d, &h.OnStale) },
		"stream_grace":      directive.Positive(d, &h.StreamGrace),
		"compat":            func() error { return h.parseCompat(d) },
		"envelope":          func() error { return h.parseEnvelope(d) },
		"metadata":          directive.Flag(d, &h.Metadata),
		"web":               func() error { return h.parseWeb(d) },
		"prefetch":          directive.Checked(d, &h.Prefetch, checkPrefetch),
	}
}

func (h *Handler) parsePrefix(d *caddyfile.Dispenser) func() error {
	return func() error {
		if err := directive.One(d, &h.Prefix)(); err != nil {
			return err
		}
		if err := gateway.CheckPrefix(h.Prefix); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

func checkPrefetch(path string) error {
	_, err := prefetch.NewPath(path)
	return err
}

func (h *Handler) parseTokenFrom(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	h.TokenFrom.Kind = args[0]
	if len(args) == 2 {
		h.TokenFrom.Name = args[1]
	}
	if _, err := edge.NewCredentials(edge.Source(h.TokenFrom), false, nil); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (h *Handler) parsePass(d *caddyfile.Dispenser) error {
	if err := directive.Many(d, &h.PassFromTrusted)(); err != nil {
		return err
	}
	if err := new(edge.Headers).Pass(h.PassFromTrusted); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseCompat reads compat wafer [<login path>].
func (h *Handler) parseCompat(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("write compat wafer [<login path>]")
	}
	if err := directive.RefuseEmpty(d, args); err != nil {
		return err
	}
	if args[0] != "wafer" {
		return d.Errf("unrecognized compat %q; expected wafer", args[0])
	}
	h.Wafer = new(WaferCompat)
	if len(args) == 2 {
		h.Wafer.Login = args[1]
		if err := wafer.CheckLogin(h.Wafer.Login); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// parseOnStale reads on_stale allow <duration> | deny.
func parseOnStale(d *caddyfile.Dispenser, into **OnStale) error {
	args := d.RemainingArgs()
	o := new(OnStale)
	switch {
	case len(args) == 2 && args[0] == "allow":
		if err := directive.ParsePositive(d, args[1], &o.Allow); err != nil {
			return err
		}
	case len(args) == 1 && args[0] == "deny":
		o.Deny = true
	default:
		return d.Err("write on_stale allow <duration> or on_stale deny")
	}
	if _, err := o.allowance(); err != nil {
		return d.WrapErr(err)
	}
	*into = o
	return nil
}

func (n *HeaderNames) parse(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	err := directive.Block{Dispenser: d, Options: map[string]func() error{
		"openid":      directive.Checked(d, &n.OpenID, edge.CheckHeaderName),
		"unionid":     directive.Checked(d, &n.UnionID, edge.CheckHeaderName),
		"appid":       directive.Checked(d, &n.AppID, edge.CheckHeaderName),
		"source":      directive.Checked(d, &n.Source, edge.CheckHeaderName),
		"session":     directive.Checked(d, &n.Session, edge.CheckHeaderName),
		"phone":       directive.Checked(d, &n.Phone, edge.CheckHeaderName),
		"risk":        directive.Checked(d, &n.Risk, edge.CheckHeaderName),
		"app_version": directive.Checked(d, &n.AppVersion, edge.CheckHeaderName),
		"app_env":     directive.Checked(d, &n.AppEnv, edge.CheckHeaderName),
		"assertion": func() error {
			args := d.RemainingArgs()
			if len(args) != 2 {
				return d.Err("write assertion <header name> <audience>")
			}
			n.Assertion, n.AssertionAudience = args[0], args[1]
			if err := edge.CheckHeaderName(n.Assertion); err != nil {
				return d.WrapErr(err)
			}
			return directive.RefuseEmpty(d, args)
		},
	}}.Parse()
	if err != nil {
		return err
	}
	if _, err := edge.NewHeaders(edge.Names(*n)); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (h *Handler) parseCORS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	c := new(CORS)
	h.CORS = c
	err := directive.Block{Dispenser: d, Options: map[string]func() error{
		"origins": func() error {
			if err := directive.Many(d, &c.Origins)(); err != nil {
				return err
			}
			for _, origin := range c.Origins {
				if err := cors.CheckOrigin(origin); err != nil {
					return d.WrapErr(err)
				}
			}
			return nil
		},
		"headers": directive.Many(d, &c.Headers),
		"methods": directive.Many(d, &c.Methods),
		"max_age": directive.Positive(d, &c.MaxAge),
	}}.Parse()
	if err != nil {
		return err
	}
	if _, err := c.resolve(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parse reads one option limit.
func (l *Limits) parse(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("expected limit login|phone|decode|scan <n>/<duration> or limit inflight <n>")
	}
	var twice bool
	switch args[0] {
	case "login":
		twice, l.Login = l.Login != "", args[1]
	case "phone":
		twice, l.Phone = l.Phone != "", args[1]
	case "decode":
		twice, l.Decode = l.Decode != "", args[1]
	case "scan":
		twice, l.Scan = l.Scan != "", args[1]
	case "inflight":
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return d.Errf("limit inflight %q is not a number above zero", args[1])
		}
		twice, l.Inflight = l.Inflight != 0, n
	default:
		return d.Errf("unrecognized limit %q; expected one of: login, phone, decode, scan, inflight", args[0])
	}
	if twice {
		return d.Errf("duplicate limit %s", args[0])
	}
	if _, err := l.resolve(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
