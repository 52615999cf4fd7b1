package edge

import (
	"fmt"
	"net/textproto"
	"slices"
	"strings"
)

// identityNames are the headers from which programs for WeChat Cloud Hosting read a user, a
// session or an app, whatever names this site uses.
var identityNames = []string{
	"X-WX-OPENID", "X-WX-UNIONID", "X-WX-APPID", "X-WX-SOURCE", "X-WX-SESSION", "X-WX-PHONE", "X-WX-ASSERTION",
	"X-WX-FROM-OPENID", "X-WX-FROM-UNIONID", "X-WX-FROM-APPID",
}

// Pass makes Strip keep headers that a trusted proxy sets, such as X-WX-RISK-RANK of WeChat
// Gateway. It refuses the names of the identity and of the assertion, in any spelling: if the
// proxy forwards headers of clients, a client could choose its user.
func (h *Headers) Pass(names []string) error {
	for _, name := range names {
		if err := CheckHeaderName(name); err != nil {
			return fmt.Errorf("pass_from_trusted: %w", err)
		}
		if reserved, _ := matchFolded(name, reservedPrefix); !reserved {
			return fmt.Errorf("pass_from_trusted: header %q does not begin with X-WX-; no other header is removed", name)
		}
		bare := bareHeaderName(name)
		for _, taken := range slices.Concat(identityNames, h.managed) {
			if bare == bareHeaderName(taken) {
				return fmt.Errorf("pass_from_trusted: header %q is part of the identity, which only the gateway sends", name)
			}
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if slices.Contains(h.passed, canonical) {
			return fmt.Errorf("pass_from_trusted: header %q is named twice", name)
		}
		h.passed = append(h.passed, canonical)
	}
	return nil
}

// bareHeaderName returns a folded name without its hyphens.
func bareHeaderName(name string) string {
	return strings.ReplaceAll(foldHeaderName(name), "-", "")
}

func (h *Headers) passesAny() bool { return len(h.passed) > 0 }

// passes reports whether a header of a trusted proxy may stay: it must have the exact spelling,
// appear once and have one value. Otherwise the upstream could read a client's X_WX_RISK_RANK,
// or a client's value before the proxy's.
func (h *Headers) passes(name string, values []string) bool {
	return slices.Contains(h.passed, name) && len(values) == 1 && values[0] != "" && !strings.Contains(values[0], ",")
}
