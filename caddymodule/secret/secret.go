// Package secret expands and checks configured secrets, and the URLs that they are sent to.
package secret

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// ErrEmpty is a value that is empty once its placeholders are expanded. As a secret, it
// would be accepted from anyone.
var ErrEmpty = errors.New("is empty")

// emptyError returns [ErrEmpty] with how to set the value. It names a value that is one
// placeholder, and no other: text beside a placeholder may be part of a secret.
func emptyError(configured string) error {
	if configured == "" {
		return fmt.Errorf("%w; set it to a placeholder such as {env.X} or {file.X}", ErrEmpty)
	}
	if IsLiteral(configured) || strings.Count(configured, "{") > 1 {
		return ErrEmpty
	}
	kind, name, _ := strings.Cut(strings.Trim(configured, "{}"), ".")
	switch kind {
	case "env":
		return fmt.Errorf("%w; set %s or fix the placeholder %s", ErrEmpty, name, configured)
	case "file":
		return fmt.Errorf("%w; write the file %s or fix the placeholder %s", ErrEmpty, name, configured)
	default:
		return fmt.Errorf("%w; fix the placeholder %s", ErrEmpty, configured)
	}
}

// Resolve expands the placeholders of a configured value, once. The error has neither
// the expanded value nor Caddy's own error, which quotes what could not be expanded.
func Resolve(repl *caddy.Replacer, configured string) (string, error) {
	value, err := repl.ReplaceOrErr(configured, true, true)
	value = strings.TrimRight(value, "\r\n") // editors end files with a line break
	if err != nil || strings.TrimSpace(value) == "" {
		return "", emptyError(configured)
	}
	return value, nil
}

// IsLiteral reports whether the configuration has a value itself and not a placeholder.
func IsLiteral(configured string) bool {
	return !strings.HasPrefix(configured, "{") || !strings.HasSuffix(configured, "}")
}

// WarnOfLiteral reports a secret that is in the configuration itself.
func WarnOfLiteral(logger *zap.Logger, name, configured string, fields ...zap.Field) {
	if configured != "" && IsLiteral(configured) {
		logger.Warn(name+" is written in the configuration, where Caddy's admin API shows it; use {env.X} or {file.X}", fields...)
	}
}

// errCleartext is a URL that would send a secret unencrypted over public networks.
var errCleartext = errors.New("would send secrets unencrypted: http is only accepted for loopback and private addresses, and for names without a domain; use https")

// RefuseCleartext refuses an http URL to a public host. Requests to it carry the
// AppSecret, login codes or access tokens, which anyone on the way could read and
// use: CWE-319.
func RefuseCleartext(u *url.URL) error {
	if u.Scheme == "http" && !PrivateHost(u.Hostname()) {
		return errCleartext
	}
	return nil
}

// PrivateHost reports whether a host is on this machine or on a private network, as
// far as its name says. Names are not looked up: a name without a dot, as containers
// have, is in no public zone.
func PrivateHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	_, zone, dotted := strings.Cut(host, ".")
	if !dotted {
		return host != ""
	}
	zone = zone[strings.LastIndex(zone, ".")+1:]
	return zone == "localhost" || zone == "local" || zone == "internal" || strings.HasSuffix(host, ".home.arpa")
}

// Hash returns one hash of several parts. Different lists of parts have different hashes.
func Hash(parts ...string) [sha256.Size]byte {
	var text []byte
	for _, part := range parts {
		text = fmt.Appendf(text, "%d:%s", len(part), part)
	}
	return sha256.Sum256(text)
}
