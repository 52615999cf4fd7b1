// Package directive parses blocks of the Caddyfile strictly.
package directive

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/wxgate/wxgate/internal/edge"
)

// Block parses one block of the Caddyfile strictly: an unrecognized or duplicate option
// is an error that names the file, the line and the expected options. If typos were ignored,
// an option that the operator meant to set would have no effect.
type Block struct {
	Dispenser *caddyfile.Dispenser
	Options   map[string]func() error // the parser of each option
	// Repeatable options may appear more than once.
	Repeatable map[string]bool
}

// Parse reads the options of the block that follows the dispenser's current token.
func (b Block) Parse() error {
	d := b.Dispenser
	seen := make(map[string]bool)
	option := "the block"
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Nesting() != nesting+1 {
			return d.Errf("%s takes no block", option)
		}
		option = d.Val()
		parse, ok := b.Options[option]
		if !ok {
			return d.Errf("unrecognized option %q; expected one of: %s", option, strings.Join(slices.Sorted(maps.Keys(b.Options)), ", "))
		}
		if seen[option] && !b.Repeatable[option] {
			return d.Errf("duplicate %s", option)
		}
		seen[option] = true
		if err := parse(); err != nil {
			return err
		}
	}
	return nil
}

// One returns a parser of exactly one argument.
func One(d *caddyfile.Dispenser, into *string) func() error {
	return func() error {
		args := d.RemainingArgs()
		if len(args) != 1 {
			return d.ArgErr()
		}
		*into = args[0]
		return RefuseEmpty(d, args)
	}
}

// Checked is [One] with a check of the argument, whose error names the line.
func Checked(d *caddyfile.Dispenser, into *string, check func(string) error) func() error {
	return func() error {
		if err := One(d, into)(); err != nil {
			return err
		}
		if err := check(*into); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// Flag returns a parser of an option without arguments, which sets into.
func Flag(d *caddyfile.Dispenser, into *bool) func() error {
	return func() error {
		if d.NextArg() {
			return d.ArgErr()
		}
		*into = true
		return nil
	}
}

// Many returns a parser of one argument or more.
func Many(d *caddyfile.Dispenser, into *[]string) func() error {
	return func() error {
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.ArgErr()
		}
		*into = append(*into, args...)
		return RefuseEmpty(d, args)
	}
}

// RefuseEmpty returns an error for an empty argument, as {$X} is if X is not set.
func RefuseEmpty(d *caddyfile.Dispenser, args []string) error {
	if slices.Contains(args, "") {
		return d.Err("the argument is empty")
	}
	return nil
}

// Positive returns a parser of exactly one duration above zero.
func Positive(d *caddyfile.Dispenser, into *caddy.Duration) func() error {
	return func() error {
		var arg string
		if err := One(d, &arg)(); err != nil {
			return err
		}
		return ParsePositive(d, arg, into)
	}
}

// ParsePositive parses a duration above zero.
func ParsePositive(d *caddyfile.Dispenser, arg string, into *caddy.Duration) error {
	duration, err := ParseDuration(d, arg)
	if err != nil {
		return err
	}
	if duration <= 0 {
		return d.Errf("duration %q must be above zero", arg)
	}
	*into = caddy.Duration(duration)
	return nil
}

// ParseDuration parses a duration, 0 included.
func ParseDuration(d *caddyfile.Dispenser, arg string) (time.Duration, error) {
	duration, err := caddy.ParseDuration(arg)
	if err != nil || duration < 0 {
		return 0, d.Errf("%q is not a duration: write 90s, 15m, 2h or 30d", arg)
	}
	return duration, nil
}

// Size returns a parser of exactly one size in bytes, such as 64MiB.
func Size(d *caddyfile.Dispenser, into *int64) func() error {
	return func() error {
		var arg string
		if err := One(d, &arg)(); err != nil {
			return err
		}
		size, err := humanize.ParseBytes(arg)
		if err != nil || size == 0 || size > math.MaxInt64 {
			return d.Errf("%q is not a size: write 512KiB, 64MiB or 1GiB", arg)
		}
		*into = int64(size)
		return nil
	}
}

// Paths returns a parser of path patterns. The error for an invalid pattern names its line.
func Paths(d *caddyfile.Dispenser, into *[]string) func() error {
	return func() error {
		if err := Many(d, into)(); err != nil {
			return err
		}
		if _, err := edge.NewPathSet(*into); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}
