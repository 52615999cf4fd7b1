package handler

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/gateway/browser"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
)

// parseWeb reads the option web; its grammar is above parseHandler.
func (h *Handler) parseWeb(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	w := new(Web)
	h.Web = w
	err := directive.Block{Dispenser: d, Options: map[string]func() error{
		"url":      directive.Checked(d, &w.URL, checkOrigin),
		"official": func() error { return w.parseOfficial(d) },
		"website":  directive.One(d, &w.Website),
		"scan":     func() error { return w.parseScan(d) },
		"ticket":   directive.Flag(d, &w.Ticket),
		"cookie":   directive.One(d, &w.Cookie),
		"return":   func() error { return w.parseReturn(d) },
		"theme":    func() error { return w.parseTheme(d) },
		"pages":    directive.One(d, &w.Pages),
	}}.Parse()
	if err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func checkOrigin(origin string) error {
	_, _, err := browser.ParseOrigin(origin)
	return err
}

func (w *Web) parseOfficial(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("write official <appid> [userinfo|base]")
	}
	if err := directive.RefuseEmpty(d, args); err != nil {
		return err
	}
	w.Official = args[0]
	if len(args) == 2 {
		w.Scope = args[1]
	}
	if err := w.checkScope(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseScan reads scan <appid> [page <path>] [place <placeholder>].
func (w *Web) parseScan(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args)%2 == 0 {
		return d.Err("write scan <appid> [page <path>] [place <placeholder>]")
	}
	if err := directive.RefuseEmpty(d, args); err != nil {
		return err
	}
	w.Scan = args[0]
	for i := 1; i < len(args); i += 2 {
		into := map[string]*string{"page": &w.ScanPage, "place": &w.ScanPlace}[args[i]]
		switch {
		case into == nil:
			return d.Errf("unrecognized %q of scan; expected page or place", args[i])
		case *into != "":
			return d.Errf("duplicate %s of scan", args[i])
		}
		*into = args[i+1]
	}
	return nil
}

func (w *Web) parseReturn(d *caddyfile.Dispenser) error {
	if err := directive.Many(d, &w.Return)(); err != nil {
		return err
	}
	for _, origin := range w.Return {
		if err := checkOrigin(origin); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

func (w *Web) parseTheme(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("write theme <accent> [<background>], such as theme #07c160 #f7f7f7")
	}
	w.Accent = args[0]
	if len(args) == 2 {
		w.Background = args[1]
	}
	if _, err := page.New(page.Theme{Accent: w.Accent, Background: w.Background}, ""); err != nil {
		return d.WrapErr(err)
	}
	return nil
}
