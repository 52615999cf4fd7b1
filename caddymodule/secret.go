package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// errEmpty is a secret that would be accepted from anyone who also has none.
var errEmpty = errors.New("is empty")

// emptyError says how to fill a configured value in. It names a value that is one
// placeholder, and no other: text beside a placeholder may be part of a secret.
func emptyError(configured string) error {
	if configured == "" {
		return fmt.Errorf("%w; set it to a placeholder such as {env.X} or {file.X}", errEmpty)
	}
	if isLiteral(configured) || strings.Count(configured, "{") > 1 {
		return errEmpty
	}
	kind, name, _ := strings.Cut(strings.Trim(configured, "{}"), ".")
	switch kind {
	case "env":
		return fmt.Errorf("%w; set %s or fix the placeholder %s", errEmpty, name, configured)
	case "file":
		return fmt.Errorf("%w; write the file %s or fix the placeholder %s", errEmpty, name, configured)
	default:
		return fmt.Errorf("%w; fix the placeholder %s", errEmpty, configured)
	}
}

// resolve expands the placeholders of a configured value, once. The error has neither
// the expanded value nor Caddy's own error, which quotes what could not be expanded.
func resolve(repl *caddy.Replacer, configured string) (string, error) {
	value, err := repl.ReplaceOrErr(configured, true, true)
	value = strings.TrimRight(value, "\r\n") // editors end files with a line break
	if err != nil || strings.TrimSpace(value) == "" {
		return "", emptyError(configured)
	}
	return value, nil
}

// isLiteral reports whether the configuration has a value itself and not a placeholder.
func isLiteral(configured string) bool {
	return !strings.HasPrefix(configured, "{") || !strings.HasSuffix(configured, "}")
}

// warnOfLiteral reports a secret that is in the configuration itself.
func warnOfLiteral(logger *zap.Logger, secret, configured string, fields ...zap.Field) {
	if configured != "" && isLiteral(configured) {
		logger.Warn(secret+" is written in the configuration, where Caddy's admin API shows it; use {env.X} or {file.X}", fields...)
	}
}
