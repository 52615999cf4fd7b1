package caddymodule

import "slices"

// PathOverrides returns the names that the handler removes, for the tests of
// docs/verify.md: a proxy in front of the upstream must remove the same.
func PathOverrides() []string { return append(slices.Clone(pathOverrides), prefixOverride) }
