package caddymodule

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// words parses one block of the Caddyfile strictly: an unrecognized or duplicate option
// is an error that names the file, the line and what is expected. To ignore a typo would
// disable what the operator meant to configure.
type words struct {
	d     *caddyfile.Dispenser
	known map[string]func() error
	// repeatable options may appear more than once.
	repeatable map[string]bool
}

// block reads the words of the block that follows the dispenser's current token.
func (w words) block() error {
	seen := make(map[string]bool)
	word := "the block"
	for nesting := w.d.Nesting(); w.d.NextBlock(nesting); {
		if w.d.Nesting() != nesting+1 {
			return w.d.Errf("%s takes no block", word)
		}
		word = w.d.Val()
		parse, ok := w.known[word]
		if !ok {
			return w.d.Errf("unrecognized option %q; expected one of: %s", word, strings.Join(slices.Sorted(maps.Keys(w.known)), ", "))
		}
		if seen[word] && !w.repeatable[word] {
			return w.d.Errf("duplicate %s", word)
		}
		seen[word] = true
		if err := parse(); err != nil {
			return err
		}
	}
	return nil
}

// one returns a parser of exactly one argument.
func one(d *caddyfile.Dispenser, into *string) func() error {
	return func() error {
		args := d.RemainingArgs()
		if len(args) != 1 {
			return d.ArgErr()
		}
		*into = args[0]
		return refuseEmpty(d, args)
	}
}

// checked is one, with a look at the argument while its line is known.
func checked(d *caddyfile.Dispenser, into *string, check func(string) error) func() error {
	return func() error {
		if err := one(d, into)(); err != nil {
			return err
		}
		if err := check(*into); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// many returns a parser of one argument or more.
func many(d *caddyfile.Dispenser, into *[]string) func() error {
	return func() error {
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.ArgErr()
		}
		*into = append(*into, args...)
		return refuseEmpty(d, args)
	}
}

// refuseEmpty refuses what {$X} leaves behind when X is not set.
func refuseEmpty(d *caddyfile.Dispenser, args []string) error {
	if slices.Contains(args, "") {
		return d.Err("the argument is empty")
	}
	return nil
}

// positive returns a parser of exactly one duration above zero.
func positive(d *caddyfile.Dispenser, into *caddy.Duration) func() error {
	return func() error {
		var arg string
		if err := one(d, &arg)(); err != nil {
			return err
		}
		return parsePositive(d, arg, into)
	}
}

func parsePositive(d *caddyfile.Dispenser, arg string, into *caddy.Duration) error {
	duration, err := parseDuration(d, arg)
	if err != nil {
		return err
	}
	if duration <= 0 {
		return d.Errf("duration %q must be above zero", arg)
	}
	*into = caddy.Duration(duration)
	return nil
}

func parseDuration(d *caddyfile.Dispenser, arg string) (time.Duration, error) {
	duration, err := caddy.ParseDuration(arg)
	if err != nil || duration < 0 {
		return 0, d.Errf("%q is not a duration: write 90s, 15m, 2h or 30d", arg)
	}
	return duration, nil
}
