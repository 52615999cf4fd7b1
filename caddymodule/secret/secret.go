// Package secret expands and checks configured secrets, and checks the URLs that they are sent to.
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

// ErrEmpty means that a value is empty after its placeholders were expanded. Anyone could
// present an empty secret.
var ErrEmpty = errors.New("is empty")

// emptyError returns [ErrEmpty] and how to set the value. It quotes the value only if it is a
// single placeholder: text beside a placeholder may be part of a secret.
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

// Resolve expands the placeholders of a configured value, once. The error contains neither
// the expanded value nor Caddy's own error, which quotes the configured value.
func Resolve(repl *caddy.Replacer, configured string) (string, error) {
	value, err := repl.ReplaceOrErr(configured, true, true)
	value = strings.TrimRight(value, "\r\n") // editors end files with a line break
	if err != nil || strings.TrimSpace(value) == "" {
		return "", emptyError(configured)
	}
	return value, nil
}

// IsLiteral reports whether a configured value is a literal and not a placeholder.
func IsLiteral(configured string) bool {
	return !strings.HasPrefix(configured, "{") || !strings.HasSuffix(configured, "}")
}

// WarnOfLiteral warns of a secret that the configuration has as a literal.
func WarnOfLiteral(logger *zap.Logger, name, configured string, fields ...zap.Field) {
	if configured != "" && IsLiteral(configured) {
		logger.Warn(name+" is written in the configuration, where Caddy's admin API shows it; use {env.X} or {file.X}", fields...)
	}
}

// errCleartext refuses a URL to which secrets would be sent unencrypted over public networks.
var errCleartext = errors.New("would send secrets unencrypted: http is only accepted for loopback and private addresses, and for names without a domain; use https")

// RefuseCleartext refuses an http URL to a public host. Requests to it carry the
// AppSecret, login codes or access tokens, which an attacker on the network could read
// and use: CWE-319.
func RefuseCleartext(u *url.URL) error {
	if u.Scheme == "http" && !PrivateHost(u.Hostname()) {
		return errCleartext
	}
	return nil
}

// PrivateHost reports whether a host is on this machine or on a private network, judged
// by its name or address. It resolves no names: a name without a dot, such as that of a
// container, is in no public zone.
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
