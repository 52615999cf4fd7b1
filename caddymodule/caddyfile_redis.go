package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parse reads the block of store redis. Errors quote no argument of a word that
// may hold a password, which is why most parsers of other words will not do.
func (c *RedisConfig) parse(d *caddyfile.Dispenser) error {
	if err := c.checkLine(d); err != nil {
		return err
	}
	err := words{d: d, known: map[string]func() error{
		"sentinel":          quiet(d, "sentinel <master name>", &c.Sentinel),
		"cluster":           func() error { return c.parseCluster(d) },
		"username":          quiet(d, "username <value>", &c.Username),
		"password":          quiet(d, "password <value>", &c.Password),
		"sentinel_username": quiet(d, "sentinel_username <value>", &c.SentinelUsername),
		"sentinel_password": quiet(d, "sentinel_password <value>", &c.SentinelPassword),
		"database":          func() error { return c.parseDatabase(d) },
		"tls":               func() error { return c.parseTLS(d) },
		"prefix": checked(d, &c.Prefix, func(prefix string) error {
			if !redisPrefix.MatchString(prefix) {
				return errRedisPrefix
			}
			return nil
		}),
		"acks":    func() error { return c.parseAcks(d) },
		"timeout": positive(d, &c.Timeout),
	}}.block()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// checkLine looks at the URLs while the dispenser still stands on their line.
func (c *RedisConfig) checkLine(d *caddyfile.Dispenser) error {
	if len(c.URLs) == 0 {
		return d.WrapErr(errRedisNoURL)
	}
	if err := refuseEmpty(d, c.URLs); err != nil {
		return err
	}
	for _, address := range c.URLs {
		if hasPlaceholder(address) {
			continue
		}
		if _, err := parseRedisURLs([]string{address}); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// quiet is one, for a value that no error may quote.
func quiet(d *caddyfile.Dispenser, usage string, into *string) func() error {
	return func() error {
		args := d.RemainingArgs()
		if len(args) != 1 {
			return d.Err("write " + usage)
		}
		*into = args[0]
		return refuseEmpty(d, args)
	}
}

func (c *RedisConfig) parseCluster(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	c.Cluster = true
	return nil
}

func (c *RedisConfig) parseDatabase(d *caddyfile.Dispenser) error {
	var arg string
	if err := one(d, &arg)(); err != nil {
		return err
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n < 0 {
		return d.WrapErr(errRedisDatabase)
	}
	c.Database = n
	return nil
}

func (c *RedisConfig) parseTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	c.TLS = new(RedisTLS)
	return words{d: d, known: map[string]func() error{
		"ca":          one(d, &c.TLS.CA),
		"cert":        one(d, &c.TLS.Cert),
		"key":         one(d, &c.TLS.Key),
		"server_name": one(d, &c.TLS.ServerName),
	}}.block()
}

func (c *RedisConfig) parseAcks(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Err("write acks <number of replicas> [<timeout>]")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return d.WrapErr(errRedisAcks)
	}
	c.Acks = &n
	if len(args) == 2 {
		if err := parsePositive(d, args[1], &c.AckTimeout); err != nil {
			return err
		}
	}
	if c.badAcks() {
		return d.WrapErr(errRedisAcks)
	}
	return nil
}
