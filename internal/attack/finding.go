package attack

import (
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// Verdict is the result of an attack.
type Verdict string

// The verdicts. All but Blocked and NotApplicable fail a run.
const (
	Blocked       Verdict = "blocked"
	Succeeded     Verdict = "SUCCEEDED"
	NotApplicable Verdict = "not applicable"
	Inconclusive  Verdict = "inconclusive"
)

// Finding is a verdict on one attack over one protocol.
type Finding struct {
	ID         string        `json:"id"`
	Mechanism  string        `json:"mechanism"`
	Advisories []string      `json:"advisories"`
	Protocol   wire.Protocol `json:"protocol"`
	Request    string        `json:"request"`
	Verdict    Verdict       `json:"verdict"`
	Reason     string        `json:"reason,omitempty"`

	// Evidence is the evidence for the verdict; nil if the attack was not sent. Reports leave
	// it out, since it has tokens.
	Evidence *corpus.Evidence `json:"-"`
}

// Failed reports whether the finding fails a run.
func (f *Finding) Failed() bool { return f.Verdict == Succeeded || f.Verdict == Inconclusive }
