package redisstore

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/directive"
)

// Parse reads the block of store redis. It has separate parsers for options that may contain
// a password: their errors must not quote an argument.
func (c *Config) Parse(d *caddyfile.Dispenser) error {
	if err := c.checkLine(d); err != nil {
		return err
	}
	err := directive.Block{Dispenser: d, Options: map[string]func() error{
		"sentinel":          quiet(d, "sentinel <master name>", &c.Sentinel),
		"cluster":           func() error { return c.parseCluster(d) },
		"username":          quiet(d, "username <value>", &c.Username),
		"password":          quiet(d, "password <value>", &c.Password),
		"sentinel_username": quiet(d, "sentinel_username <value>", &c.SentinelUsername),
		"sentinel_password": quiet(d, "sentinel_password <value>", &c.SentinelPassword),
		"database":          func() error { return c.parseDatabase(d) },
		"tls":               func() error { return c.parseTLS(d) },
		"prefix": directive.Checked(d, &c.Prefix, func(prefix string) error {
			if !validPrefix.MatchString(prefix) {
				return errPrefix
			}
			return nil
		}),
		"acks":    func() error { return c.parseAcks(d) },
		"timeout": directive.Positive(d, &c.Timeout),
	}}.Parse()
	if err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// checkLine checks the URLs while the dispenser is at their line.
func (c *Config) checkLine(d *caddyfile.Dispenser) error {
	if len(c.URLs) == 0 {
		return d.WrapErr(errNoURL)
	}
	if err := directive.RefuseEmpty(d, c.URLs); err != nil {
		return err
	}
	for _, address := range c.URLs {
		if hasPlaceholder(address) {
			continue
		}
		if _, err := parseURLs([]string{address}); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// quiet is [directive.One] for a value that no error may quote.
func quiet(d *caddyfile.Dispenser, usage string, into *string) func() error {
	return func() error {
		args := d.RemainingArgs()
		if len(args) != 1 {
			return d.Err("write " + usage)
		}
		*into = args[0]
		return directive.RefuseEmpty(d, args)
	}
}

func (c *Config) parseCluster(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	c.Cluster = true
	return nil
}

func (c *Config) parseDatabase(d *caddyfile.Dispenser) error {
	var arg string
	if err := directive.One(d, &arg)(); err != nil {
		return err
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n < 0 {
		return d.WrapErr(errDatabase)
	}
	c.Database = n
	return nil
}

func (c *Config) parseTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	c.TLS = new(TLS)
	return directive.Block{Dispenser: d, Options: map[string]func() error{
		"ca":          directive.One(d, &c.TLS.CA),
		"cert":        directive.One(d, &c.TLS.Cert),
		"key":         directive.One(d, &c.TLS.Key),
		"server_name": directive.One(d, &c.TLS.ServerName),
	}}.Parse()
}

func (c *Config) parseAcks(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("write acks <number of replicas> [<timeout>]")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return d.WrapErr(errAcks)
	}
	c.Acks = &n
	if len(args) == 2 {
		if err := directive.ParsePositive(d, args[1], &c.AckTimeout); err != nil {
			return err
		}
	}
	if c.badAcks() {
		return d.WrapErr(errAcks)
	}
	return nil
}
