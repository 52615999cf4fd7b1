// Package corpus has the attacks, the controls that show that the attacked routes work,
// and the judges that decide whether an attack succeeded.
package corpus

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// The mechanisms, each with the public advisories that it comes from.
var (
	identityMechanism = &Mechanism{"identity", "Identity header spoofing", []string{
		"CVE-2025-64484", "CVE-2026-30851", "CVE-2026-52845", "GHSA-49wc-4hcv-v58q", "CVE-2026-33433", "CVE-2026-31908", "CVE-2023-27487",
	}}
	removalMechanism = &Mechanism{"removal", "Hop-by-hop removal of identity", []string{"CVE-2022-31813", "CVE-2024-45410", "CVE-2026-29054", "CVE-2025-48865"}}
	upgradeMechanism = &Mechanism{"upgrade", "Upgrade tunnels, CONNECT and TRACE", []string{"CVE-2026-88008", "CVE-2026-71324", "CVE-2025-64763"}}
	earlyMechanism   = &Mechanism{"early", "Replay of early data", []string{"CVE-2024-39321", "RFC 8470"}}
	pathMechanism    = &Mechanism{"path", "Public path bypass", []string{"CVE-2019-9901", "CVE-2021-29492", "CVE-2026-73511", "CVE-2025-66490"}}
	policyMechanism  = &Mechanism{"policy", "Policy path bypass", []string{"CVE-2026-33494", "CVE-2026-48794", "CVE-2026-40912"}}
	tokenMechanism   = &Mechanism{"token", "Forged tokens", []string{"CVE-2015-9235", "RFC 8725"}}
	severalMechanism = &Mechanism{"several", "Several tokens in one request", []string{"RFC 6750 section 2"}}
	loginMechanism   = &Mechanism{"login", "The login API", []string{"CVE-2026-26998", "RFC 8259 section 4"}}
	smuggleMechanism = &Mechanism{"smuggle", "Request smuggling", []string{"CVE-2025-22871", "CVE-2022-1705"}}
	errorMechanism   = &Mechanism{"errors", "Identity on the error route", []string{"CVE-2026-41181"}}
	oracleMechanism  = &Mechanism{"oracle", "Decryption oracle", []string{"CVE-2010-3332"}}
	everyMechanism   = []*Mechanism{identityMechanism, removalMechanism, upgradeMechanism, earlyMechanism, pathMechanism, policyMechanism, tokenMechanism, severalMechanism, loginMechanism, smuggleMechanism, errorMechanism, oracleMechanism}
	h1Only           = []wire.Protocol{wire.H1}
	multiplexed      = []wire.Protocol{wire.H2, wire.H3}
)

// Mechanisms returns all mechanisms, in the order of the corpus.
func Mechanisms() []*Mechanism { return slices.Clone(everyMechanism) }

// Corpus returns all attacks for a target with its defaults set, sorted by mechanism and
// name.
func Corpus(t *Target) []Attack {
	corpus := slices.Concat(
		identityAttacks(t), identityRouteAttacks(t), identityTrailerAttacks(t), identityFrameAttacks(t), errorAttacks(t),
		removalAttacks(t), removalFrameAttacks(t),
		upgradeAttacks(t), tunnelAttacks(t), earlyAttacks(t),
		pathAttacks(t), pathHeaderAttacks(t), handshakeAttacks(t), policyAttacks(t),
		tokenAttacks(t), tokenSpellingAttacks(t), wellSignedAttacks(t), severalAttacks(t),
		loginAttacks(t), refreshAttacks(t), oracleAttacks(t), smuggleAttacks(t), smuggleFrameAttacks(t),
	)
	return t.WithCookies(Sorted(corpus, everyMechanism))
}

// Sorted sorts attacks by mechanism and name.
func Sorted(attacks []Attack, mechanisms []*Mechanism) []Attack {
	slices.SortFunc(attacks, func(a, b Attack) int {
		byMechanism := slices.Index(mechanisms, a.Mechanism) - slices.Index(mechanisms, b.Mechanism)
		return cmp.Or(byMechanism, strings.Compare(a.ID, b.ID))
	})
	return attacks
}

// spelling is one way to write a header's name.
type spelling struct{ id, name string }

// spellings returns the names that some servers read as name.
func spellings(name string) []spelling {
	words := strings.Split(name, "-")
	join := func(mark string) string { return strings.Join(words, mark) }
	mixed := []byte(strings.ToLower(name))
	for i := 0; i < len(mixed); i += 2 {
		mixed[i] = strings.ToUpper(string(mixed[i]))[0]
	}
	out := []spelling{
		{"lower", strings.ToLower(name)},
		{"upper", strings.ToUpper(name)},
		{"mixed", string(mixed)},
		{"underscore-upper", strings.ToUpper(join("_"))},
		{"underscore-lower", strings.ToLower(join("_"))},
		{"doubled-hyphen", join("--")},
		{"doubled-underscore", join("__")},
		{"leading-hyphen", "-" + name},
		{"leading-underscore", "_" + name},
		{"trailing-hyphen", name + "-"},
		{"trailing-underscore", name + "_"},
	}
	if len(words) > 2 {
		out = append(out,
			spelling{"hyphen-then-underscore", words[0] + "-" + strings.Join(words[1:], "_")},
			spelling{"underscore-then-hyphen", words[0] + "_" + strings.Join(words[1:], "-")},
			spelling{"underscore-then-dot", words[0] + "_" + strings.Join(words[1:], ".")},
		)
	}
	// Every mark that a header name may contain (RFC 9110 section 5.6.2): PHP and others
	// replace all of them by underscores.
	for _, mark := range ".!#$%&'*+^`|~" {
		out = append(out, spelling{"mark-" + string(mark), join(string(mark))})
	}
	return out
}

func bearer(token string) wire.Field { return field("Authorization", "Bearer "+token) }

// get returns an honest request with the attack user's token, and more headers.
func get(path string, header ...wire.Field) wire.Request {
	return wire.Request{Path: path, Header: append([]wire.Field{bearer("{token}")}, header...)}
}

// anonymous returns a request without a token.
func anonymous(path string, header ...wire.Field) wire.Request {
	return wire.Request{Path: path, Header: header}
}

func field(name, value string) wire.Field { return wire.Field{Name: name, Value: value} }
