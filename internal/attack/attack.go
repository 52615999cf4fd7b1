package attack

import "slices"

// Protocol is a version of HTTP, as ALPN's readers know it.
type Protocol string

// The protocols that attacks are sent over.
const (
	H1 Protocol = "h1"
	H2 Protocol = "h2"
	H3 Protocol = "h3"
)

var everyProtocol = []Protocol{H1, H2, H3}

// Mechanism is one way in which gateways were broken.
type Mechanism struct {
	Name       string
	Title      string
	Advisories []string // public ones, of other gateways
}

// Attack is one request, or a few, that a gateway must not be fooled by.
type Attack struct {
	ID        string // unique; begins with the mechanism's name
	Mechanism *Mechanism
	// Advisories are the attack's own; without any, the mechanism's hold.
	Advisories []string
	Protocols  []Protocol // nil for every one
	Needs      []Control

	Before  []Request // sent first, each over a connection of its own
	Request Request
	After   *Request // sent last, over HTTP/1.1
	// Forge makes what {forged} in the request stands for.
	Forge func(*Secrets) (string, error)
	// LimitBlocks says that a 429 blocks the attack. Otherwise it is inconclusive.
	LimitBlocks bool
	// Judge says why the attack succeeded; "" when it did not.
	Judge func(*Evidence) string
}

func (a *Attack) over(p Protocol) bool { return a.Protocols == nil || slices.Contains(a.Protocols, p) }

// CVEs are the advisories that the attack comes from.
func (a *Attack) CVEs() []string {
	if len(a.Advisories) > 0 {
		return a.Advisories
	}
	return a.Mechanism.Advisories
}

// Evidence is what an attack left behind.
type Evidence struct {
	Target   *Target
	Protocol Protocol
	// Answer is what the client got; nil when the gateway hung up on it.
	Answer *Answer
	// After is the answer to the attack's last request, where it has one.
	After *Answer
	// Seen are the requests of the attack that reached the upstream.
	Seen []*Seen
	// Admitted is what an honest request with the same token looks like upstream.
	Admitted *Seen
	// Fetched says that somebody fetched keys from the attacker's URL.
	Fetched bool
}

// Answer is a response to the client.
type Answer struct {
	Status int
	Header []Field
	Body   string
}

// Get is the first value of a header; "" without one.
func (a *Answer) Get(name string) string {
	if a == nil {
		return ""
	}
	for _, f := range a.Header {
		if foldEqual(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Verdict is how an attack ended.
type Verdict string

// The verdicts. Anything but Blocked and NotApplicable fails a run.
const (
	Blocked       Verdict = "blocked"
	Succeeded     Verdict = "SUCCEEDED"
	NotApplicable Verdict = "not applicable"
	Inconclusive  Verdict = "inconclusive"
)

// Finding is a verdict on one attack over one protocol.
type Finding struct {
	ID         string   `json:"id"`
	Mechanism  string   `json:"mechanism"`
	Advisories []string `json:"advisories"`
	Protocol   Protocol `json:"protocol"`
	Request    string   `json:"request"`
	Verdict    Verdict  `json:"verdict"`
	Reason     string   `json:"reason,omitempty"`
}

// Failed reports whether the finding must fail a run.
func (f *Finding) Failed() bool { return f.Verdict == Succeeded || f.Verdict == Inconclusive }
