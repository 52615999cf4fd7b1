// Package redisstore configures a shared store: Redis or Valkey, one server, Sentinels or a
// Cluster.
package redisstore

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/secret"
)

// Config configures a Redis 7.0 or newer, or a Valkey 7.2 or newer, that the
// machines of one gateway share. The machines must also have the same root secret.
type Config struct {
	// Where it is: `redis://[user[:password]@]host[:port][/database]`, or
	// `rediss://…` for TLS. One URL names one server; several need Sentinel or
	// Cluster. Placeholders are resolved once, when the configuration is loaded. A
	// URL with a password is never logged; what a placeholder puts into one must be
	// percent-encoded.
	URLs []string `json:"urls"`

	// The name of the master; the URLs are then those of Sentinels, and must not contain
	// credentials: a Sentinel and the master have different ones. Default: none.
	Sentinel string `json:"sentinel,omitempty"`

	// The URLs are nodes of a Cluster, which report the other nodes. Default: false.
	Cluster bool `json:"cluster,omitempty"`

	// The ACL user, or a placeholder. Default: the URL's, or Redis's `default`.
	Username string `json:"username,omitempty"`
	// The password, as a placeholder such as `{file.X}`. Default: the URL's, or none.
	Password string `json:"password,omitempty"`
	// The ACL user of the Sentinels themselves. Default: none.
	SentinelUsername string `json:"sentinel_username,omitempty"`
	// The password of the Sentinels, as a placeholder. Default: none.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// The database number. A Cluster has only 0. Default: the URL's, or 0.
	Database int `json:"database,omitempty"`

	// TLS settings for `rediss://`. Default: the system's root certificates, and no client
	// certificate.
	TLS *TLS `json:"tls,omitempty"`

	// Prefix of every key, so that separate gateways can share a server. Default
	// `wxgate`.
	Prefix string `json:"prefix,omitempty"`

	// How many replicas of Redis must acknowledge a write before wxgate responds. With 0, a
	// failover can lose writes. Default: 1 with Sentinel, otherwise 0.
	Acks *int `json:"acks,omitempty"`
	// How long to wait for acknowledgments. After that the response is 503, and the client
	// retries. Default 500ms.
	AckTimeout caddy.Duration `json:"ack_timeout,omitempty"`

	// Timeout of one command. Default 1s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// TLS configures TLS to Redis.
type TLS struct {
	// A PEM file with the root certificates that are accepted for the server. Default:
	// the system's.
	CA string `json:"ca,omitempty"`
	// A PEM file with the client certificate. Default: none.
	Cert string `json:"cert,omitempty"`
	// The PEM file with its private key. Required with Cert.
	Key string `json:"key,omitempty"`
	// The name in the server's certificate. Default: the URL's host.
	ServerName string `json:"server_name,omitempty"`
}

var (
	errNoURL     = errors.New("store redis: a URL is required, such as redis://127.0.0.1:6379")
	errURL       = errors.New("store redis: invalid URL; expected redis://[user[:password]@]host[:port][/database] or rediss://…")
	errSeveral   = errors.New("store redis: several URLs need sentinel <master name> or cluster")
	errBoth      = errors.New("store redis: sentinel and cluster are mutually exclusive")
	errSentinel  = errors.New("store redis: sentinel_username and sentinel_password require sentinel")
	errInURL     = errors.New("store redis: with sentinel, set credentials with username and password, not in the URLs")
	errUserTwice = errors.New("store redis: conflicting credentials; set them in the URLs (identical in all) or with username and password, not both")
	errDatabase  = errors.New("store redis: the database must be a number, 0 or above, and identical in all URLs; a Cluster has only database 0")
	errSchemes   = errors.New("store redis: the URLs must be all redis:// or all rediss://")
	errTLS       = errors.New("store redis: tls requires rediss:// URLs")
	errCert      = errors.New("store redis: tls cert and tls key must be set together")
	errUser      = errors.New("store redis: username requires a password")
	errPrefix    = errors.New("store redis: the prefix must be 1 to 64 characters: letters, digits, dots, underscores and hyphens")
	errAcks      = errors.New("store redis: acks must be a number of replicas; a timeout requires one above 0")
	errTimeout   = errors.New("store redis: the timeout must be above zero")
)

// maxAcks bounds the number of replicas to wait for: no deployment has more.
const maxAcks = 16

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Check refuses settings that cannot work. It parses only URLs without placeholders;
// [Config.Resolve] parses all URLs.
func (c *Config) Check() error {
	switch {
	case len(c.URLs) == 0 || slices.Contains(c.URLs, ""):
		return errNoURL
	case c.Sentinel != "" && c.Cluster:
		return errBoth
	case len(c.URLs) > 1 && c.Sentinel == "" && !c.Cluster:
		return errSeveral
	case c.Database < 0 || c.Cluster && c.Database != 0:
		return errDatabase
	case c.Prefix != "" && !validPrefix.MatchString(c.Prefix):
		return errPrefix
	case c.TLS != nil && (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return errCert
	}
	if err := c.checkUsers(); err != nil {
		return err
	}
	if c.Timeout < 0 {
		return errTimeout
	}
	if c.badAcks() {
		return errAcks
	}
	return c.checkURLs(slices.DeleteFunc(slices.Clone(c.URLs), hasPlaceholder))
}

func (c *Config) checkUsers() error {
	switch {
	case c.Sentinel == "" && c.SentinelUsername+c.SentinelPassword != "":
		return errSentinel
	case c.Username != "" && c.Password == "", c.SentinelUsername != "" && c.SentinelPassword == "":
		return errUser
	}
	return nil
}

func (c *Config) badAcks() bool {
	if c.Acks == nil {
		return c.AckTimeout != 0
	}
	if c.AckTimeout < 0 {
		return true
	}
	return *c.Acks < 0 || *c.Acks > maxAcks || *c.Acks == 0 && c.AckTimeout != 0
}

// checkURLs checks URLs without placeholders.
func (c *Config) checkURLs(urls []string) error {
	targets, err := parseURLs(urls)
	if err != nil {
		return err
	}
	_, err = c.merge(targets)
	return err
}

func hasPlaceholder(s string) bool { return strings.Contains(s, "{") }

// literalPassword reports whether the configuration contains a password as a literal.
func (c *Config) literalPassword() bool {
	for _, password := range []string{c.Password, c.SentinelPassword} {
		if password != "" && secret.IsLiteral(password) {
			return true
		}
	}
	return slices.ContainsFunc(c.URLs, func(raw string) bool {
		_, rest, _ := strings.Cut(raw, "://")
		at := strings.LastIndex(rest, "@")
		if at < 0 {
			return false
		}
		_, password, _ := strings.Cut(rest[:at], ":")
		return password != "" && !hasPlaceholder(password)
	})
}
