package app

import (
	"fmt"
	"net/netip"
	"net/url"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
)

// The values of `dev_mode`.
const (
	devLoopback = "loopback"
	devInsecure = "insecure"
)

// parseDevMode reads `dev_mode [insecure]`.
func (a *App) parseDevMode(d *caddyfile.Dispenser) error {
	if a.DevMode != "" {
		return d.Err("duplicate dev_mode")
	}
	a.DevMode = devLoopback
	args := d.RemainingArgs()
	if len(args) > 1 || len(args) == 1 && args[0] != devInsecure {
		return d.Err("write dev_mode [insecure]")
	}
	if len(args) == 1 {
		a.DevMode = devInsecure
	}
	return nil
}

// checkDevMode refuses dev_mode beside an app with real users: anyone who can call the
// admin API could act as any of them.
func (a *App) checkDevMode(lines map[string]string) error {
	switch a.DevMode {
	case "":
		return nil
	case devInsecure:
	case devLoopback:
		for _, m := range a.MiniPrograms {
			if !loopbackURL(m.APIURL()) {
				return at(lines, m.AppID, fmt.Errorf("app %s: dev_mode requires an api on loopback, such as api http://127.0.0.1:9901; remove dev_mode, or allow minted tokens beside real users with dev_mode insecure", m.ID()))
			}
		}
	default:
		return at(lines, "", fmt.Errorf("unrecognized dev_mode %q; expected one of: %s, %s", a.DevMode, devLoopback, devInsecure))
	}
	a.logger.Warn("INSECURE: dev_mode lets operators mint tokens of any user, without a login; remove it in production", zap.String("dev_mode", a.DevMode))
	return nil
}

// loopbackURL reports whether the host of a URL is localhost or a loopback address. It
// resolves no other names.
func loopbackURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
