package caddymodule

import (
	"errors"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// errEmpty is a secret that would be accepted by whoever also has none.
var errEmpty = errors.New("is missing or empty: set it, or mend the {env.X} or {file.X} that names it")

// resolve expands the placeholders of a configured value, once. Neither the
// value nor what it expands to is in the error. Caddy's own errors are not
// passed on for that reason: they quote what they could not expand.
func resolve(repl *caddy.Replacer, configured string) (string, error) {
	value, err := repl.ReplaceOrErr(configured, true, true)
	if err != nil {
		return "", errEmpty
	}
	value = strings.TrimRight(value, "\r\n") // editors end files with a line break
	if strings.TrimSpace(value) == "" {
		return "", errEmpty
	}
	return value, nil
}

// isLiteral reports whether a value stands in the configuration itself.
func isLiteral(configured string) bool {
	return !strings.HasPrefix(configured, "{") || !strings.HasSuffix(configured, "}")
}
