package app

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/caddymodule/miniprogram"
	"github.com/wxgate/wxgate/caddymodule/redisstore"
	"github.com/wxgate/wxgate/internal/token/signing"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(Name, parseGlobalOption)
}

// parseGlobalOption reads the global block:
//
//	wxgate {
//	    app <appid> [<secret>] {
//	        platform  wechat|qq|douyin|kuaishou|xiaohongshu|wecom [<mini program's appid>]
//	        kind      official|website
//	        secret    <value>
//	        component <appid> <token-url>
//	        callback  <token> [<encoding-aes-key>] {
//	            forward <url> [<event>...] [reply]
//	        }
//	        api_security {
//	            encrypt <serial> <value>
//	            sign    <serial> <value>
//	            verify  <serial> <value>
//	            calls   <path>...
//	            plain   <path>...
//	        }
//	        api       <url>
//	        watermark <max-age>
//	        session_limit <n> [per device]
//	        raw_session_key insecure
//	        phone_budget <n>/<duration>
//	        test_phone <virtual number> <number>
//	        risk <scene> [cache <duration>] [on_error allow|deny]
//	    }
//	    secret <value> [<old value>...]
//	    store  bolt [<path>] | memory
//	    store  redis <url>... {
//	        sentinel <master name>
//	        cluster
//	        username          <value>
//	        password          <value>
//	        sentinel_username <value>
//	        sentinel_password <value>
//	        database <n>
//	        tls {
//	            ca   <file>
//	            cert <file>
//	            key  <file>
//	            server_name <name>
//	        }
//	        prefix  <string>
//	        acks    <n> [<timeout>]
//	        timeout <duration>
//	    }
//	    token {
//	        issuer   <string>
//	        audience <string>...
//	        alg      EdDSA|ES256|RS256|HS256
//	        key      <value>
//	        access   <duration>
//	        refresh  <duration> [idle <duration>]
//	        rotate   <duration>
//	        cache    <size>
//	    }
//	    events_to <url> {
//	        bearer <value>
//	    }
//	    dev_mode [insecure]
//	    transport wxgate|standard
//	}
//
// It may appear more than once, as it does with imports. Each option except app may appear
// once in all of them.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if previous, ok := existing.(httpcaddyfile.App); ok {
		if err := caddy.StrictUnmarshalJSON(previous.Value, app); err != nil {
			return nil, d.Errf("reading the wxgate block before this one: %v", err)
		}
	}
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: Name, Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile reads the block; its grammar is above parseGlobalOption.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		origins.note("", d)
		if d.NextArg() {
			return d.ArgErr()
		}
		err := directive.Block{Dispenser: d, Repeatable: map[string]bool{"app": true}, Options: map[string]func() error{
			"app":       func() error { return a.parseApp(d) },
			"dev_mode":  func() error { return a.parseDevMode(d) },
			"events_to": func() error { return a.parseEventsTo(d) },
			"secret":    func() error { return a.parseSecret(d) },
			"store":     func() error { return a.parseStore(d) },
			"token":     func() error { return a.parseToken(d) },
			"transport": directive.Checked(d, &a.Transport, checkTransport),
		}}.Parse()
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *App) parseApp(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	if err := directive.RefuseEmpty(d, args); err != nil {
		return err
	}
	for _, other := range a.MiniPrograms {
		if other.AppID == args[0] {
			return d.Errf("duplicate app %s", args[0])
		}
	}
	origins.note(args[0], d)
	app := &miniprogram.Config{AppID: args[0]}
	if len(args) == 2 {
		app.Secret = args[1]
	}
	a.MiniPrograms = append(a.MiniPrograms, app)
	return app.UnmarshalOptions(d)
}

func (a *App) parseSecret(d *caddyfile.Dispenser) error {
	if len(a.Secret) > 0 {
		return d.Err("duplicate secret; to rotate it, write: secret <new> <old>")
	}
	return directive.Many(d, &a.Secret)()
}

func (a *App) parseStore(d *caddyfile.Dispenser) error {
	if a.Store != nil {
		return d.Err("duplicate store")
	}
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.ArgErr()
	case args[0] == StoreBolt && len(args) <= 2:
		a.Store = &StoreConfig{Kind: StoreBolt}
		if len(args) == 2 {
			a.Store.Path = args[1]
		}
	case args[0] == StoreRedis:
		a.Store = &StoreConfig{Kind: StoreRedis, Redis: &redisstore.Config{URLs: args[1:]}}
		return a.Store.Redis.Parse(d)
	case args[0] == StoreMemory && len(args) == 1:
		a.Store = &StoreConfig{Kind: StoreMemory}
	case args[0] == StoreBolt, args[0] == StoreMemory:
		return d.ArgErr()
	default:
		return d.Errf("unrecognized store %q; expected one of: bolt, redis, memory", args[0])
	}
	return directive.RefuseEmpty(d, args)
}

func (a *App) parseToken(d *caddyfile.Dispenser) error {
	if a.Token != nil {
		return d.Err("duplicate token")
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	t := new(TokenConfig)
	a.Token = t
	return directive.Block{Dispenser: d, Options: map[string]func() error{
		"issuer":   directive.One(d, &t.Issuer),
		"audience": directive.Many(d, &t.Audience),
		"alg":      directive.Checked(d, &t.Alg, checkAlg),
		"key":      directive.One(d, &t.Key),
		"access":   directive.Positive(d, &t.Access),
		"rotate":   directive.Positive(d, &t.Rotate),
		"cache":    directive.Size(d, &t.Cache),
		"refresh":  func() error { return t.parseRefresh(d) },
	}}.Parse()
}

func checkAlg(alg string) error {
	_, err := signing.ParseAlg(alg)
	return err
}

func (t *TokenConfig) parseRefresh(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 && (len(args) != 3 || args[1] != "idle") {
		return d.Err("write refresh <duration> [idle <duration>]")
	}
	if err := directive.ParsePositive(d, args[0], &t.Refresh); err != nil {
		return err
	}
	if len(args) == 3 {
		return directive.ParsePositive(d, args[2], &t.Idle)
	}
	return nil
}
