package redisstore

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/session/redis"
)

const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
	// maxFileBytes bounds a TLS file: a bundle of all public authorities has
	// a quarter of a megabyte.
	maxFileBytes = 1 << 20
)

// target is a parsed URL.
type target struct {
	host, port         string
	username, password string
	database           int
	tls                bool
}

// Opening is a [Config] whose placeholders are resolved and whose files are read.
type Opening struct {
	Config redis.Config
	Key    [sha256.Size]byte // a hash of all settings: equal keys may share a connection
}

// parseURLs parses URLs. Its errors quote no URL, because a URL may contain a
// password.
func parseURLs(urls []string) ([]target, error) {
	targets := make([]target, 0, len(urls))
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
			return nil, errURL
		}
		t := target{host: u.Hostname(), port: u.Port(), username: u.User.Username(), tls: u.Scheme == "rediss"}
		t.password, _ = u.User.Password()
		if t.username != "" && t.password == "" {
			return nil, errUser
		}
		if database := strings.Trim(u.Path, "/"); database != "" {
			if t.database, err = strconv.Atoi(database); err != nil || t.database < 0 {
				return nil, errDatabase
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// merge combines the settings in the URLs with the options.
func (c *Config) merge(targets []target) (target, error) {
	merged := target{username: c.Username, password: c.Password, database: c.Database}
	for i, t := range targets {
		inURL := t.username+t.password != ""
		switch {
		case i > 0 && t.tls != merged.tls:
			return merged, errSchemes
		case !t.tls && c.TLS != nil:
			return merged, errTLS
		case inURL && c.Sentinel != "":
			return merged, errInURL
		case inURL && merged.password != "" && (t.username != merged.username || t.password != merged.password):
			return merged, errUserTwice
		case t.database != 0 && (c.Cluster || merged.database != 0 && t.database != merged.database):
			return merged, errDatabase
		}
		merged.tls = t.tls
		if inURL {
			merged.username, merged.password = t.username, t.password
		}
		if t.database != 0 {
			merged.database = t.database
		}
	}
	return merged, nil
}

// Resolve expands the placeholders and reads the files. It opens no connection.
func (c *Config) Resolve(repl *caddy.Replacer, logger *zap.Logger) (*Opening, error) {
	resolved := *c
	resolved.URLs = nil
	for _, configured := range c.URLs {
		address, err := secret.Resolve(repl, configured)
		if err != nil {
			return nil, fmt.Errorf("store redis: a URL %w", err)
		}
		resolved.URLs = append(resolved.URLs, address)
	}
	for name, value := range map[string]*string{
		"username": &resolved.Username, "password": &resolved.Password, "sentinel": &resolved.Sentinel,
		"sentinel_username": &resolved.SentinelUsername, "sentinel_password": &resolved.SentinelPassword,
	} {
		if *value == "" {
			continue
		}
		var err error
		if *value, err = secret.Resolve(repl, *value); err != nil {
			return nil, fmt.Errorf("store redis: the %s %w", name, err)
		}
	}
	if c.literalPassword() {
		logger.Warn("the password of store redis is written in the configuration, where Caddy's admin API shows it; use {env.X} or {file.X}")
	}
	opening, err := resolved.opening(repl)
	if err != nil {
		return nil, err
	}
	warnOfCleartext(opening, logger)
	return opening, nil
}

// warnOfCleartext warns of a Redis without TLS on a public address: an attacker on the
// network can read the password, and then revoke and forge sessions.
func warnOfCleartext(opening *Opening, logger *zap.Logger) {
	if opening.Config.TLS != nil {
		return
	}
	for _, address := range opening.Config.Addresses {
		if host, _, err := net.SplitHostPort(address); err == nil && !secret.PrivateHost(host) {
			logger.Warn("store redis sends its password and the sessions unencrypted to an address that is not private; use rediss://", zap.String("address", address))
		}
	}
}

// opening returns the resolved settings. Every placeholder of c is expanded, except those in
// file names.
func (c *Config) opening(repl *caddy.Replacer) (*Opening, error) {
	targets, err := parseURLs(c.URLs)
	if err != nil {
		return nil, err
	}
	merged, err := c.merge(targets)
	if err != nil {
		return nil, err
	}
	config := redis.Config{
		Sentinel: c.Sentinel, Cluster: c.Cluster,
		Username: merged.username, Password: merged.password,
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
		Database: merged.database, Prefix: c.Prefix,
		AckTimeout: time.Duration(c.AckTimeout), Timeout: time.Duration(c.Timeout),
	}
	switch {
	case c.Acks == nil: // the default
	case *c.Acks == 0:
		config.Acks = -1 // none
	default:
		config.Acks = *c.Acks
	}
	for _, t := range targets {
		port := defaultPort
		if c.Sentinel != "" {
			port = defaultSentinelPort
		}
		if t.port != "" {
			port = t.port
		}
		config.Addresses = append(config.Addresses, net.JoinHostPort(t.host, port))
	}
	var files [][]byte
	if merged.tls {
		if config.TLS, files, err = c.TLS.load(repl); err != nil {
			return nil, fmt.Errorf("store redis: tls: %w", err)
		}
	}
	return &Opening{config, shapeOf(config, files)}, nil
}

// shapeOf hashes everything that determines a connection, secrets and TLS files included.
func shapeOf(config redis.Config, files [][]byte) [sha256.Size]byte {
	parts := []string{
		config.Sentinel, config.Username, config.Password, config.SentinelUsername, config.SentinelPassword, config.Prefix,
		fmt.Sprint(config.Cluster, config.Database, config.Acks, config.AckTimeout, config.Timeout, config.TLS != nil),
	}
	if config.TLS != nil {
		parts = append(parts, config.TLS.ServerName)
	}
	parts = append(parts, config.Addresses...)
	for _, file := range files {
		parts = append(parts, string(file))
	}
	return secret.Hash(parts...)
}

// load reads the files; if t is nil, it returns the default TLS settings.
func (t *TLS) load(repl *caddy.Replacer) (*tls.Config, [][]byte, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return config, nil, nil
	}
	config.ServerName = t.ServerName
	var files [][]byte
	if t.CA != "" {
		bundle, err := readFile(repl, t.CA)
		if err != nil {
			return nil, nil, fmt.Errorf("ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(bundle) {
			return nil, nil, errors.New("ca: the file contains no certificate in PEM")
		}
		files = append(files, bundle)
	}
	if t.Cert == "" {
		return config, files, nil
	}
	cert, err := readFile(repl, t.Cert)
	if err != nil {
		return nil, nil, fmt.Errorf("cert: %w", err)
	}
	key, err := readFile(repl, t.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, nil, errors.New("cert and key are not a certificate and its private key in PEM")
	}
	config.Certificates = []tls.Certificate{pair}
	return config, append(files, cert, key), nil
}

// readFile reads a file whose name may be a placeholder.
func readFile(repl *caddy.Replacer, name string) ([]byte, error) {
	path, err := secret.Resolve(repl, name)
	if err != nil {
		return nil, fmt.Errorf("the file's name %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", path, info.Size(), maxFileBytes)
	}
	return os.ReadFile(path)
}
