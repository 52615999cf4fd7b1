// Package fault has the ways in which WeChat goes wrong, and sends the responses of each.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
)

// ErrBad means that a fault cannot be armed as it is written.
var ErrBad = errors.New("bad fault")

// A Kind is one way in which WeChat goes wrong.
type Kind string

// The kinds. Those said to bend the right response do the work first, always;
// the others replace it, and do the work first only if After is set. The
// codes are WeChat's; other platforms return their own, and "busy" where they
// have none for a quota.
//
// On a connection it has used before, Go's client silently repeats a GET that
// was reset: such a request costs two Times and counts twice.
const (
	Busy        Kind = "busy"         // errcode -1
	ErrCode     Kind = "errcode"      // the errcode given
	Quota       Kind = "quota"        // errcode 45009, the day's quota
	MinuteQuota Kind = "minute_quota" // errcode 45011, the minute's
	Timeout     Kind = "timeout"      // no response until the client or the simulator goes away
	Reset       Kind = "reset"        // connection reset without a response
	HTML        Kind = "html"         // 200 with an HTML page
	HTTP500     Kind = "http500"      // 502 with an HTML page
	Empty       Kind = "empty"        // 200, empty, text/html; charset=gbk
	Redirect    Kind = "redirect"     // 302 to another path
	Slow        Kind = "slow"         // bends: half of Delay before, half dribbling
	Truncated   Kind = "truncated"    // bends: whole Content-Length, half the body
	Control     Kind = "control"      // bends: raw control characters in a JSON string
	Huge        Kind = "huge"         // bends: more than 1 MiB of JSON
)

// replacing and bending are the kinds by what they do to the right response.
var (
	replacing = []Kind{
		Busy, ErrCode, Quota, MinuteQuota, Timeout,
		Reset, HTML, HTTP500, Empty, Redirect,
	}
	bending = append([]Kind{Slow, Truncated, Control, Huge}, spoiling()...)
)

// Kinds returns all kinds.
func Kinds() []Kind { return slices.Concat(replacing, bending) }

// spoiling are the kinds that bend the response to an encrypted call, and no other.
func spoiling() []Kind {
	var kinds []Kind
	for _, spoil := range apisecurity.Spoils() {
		kinds = append(kinds, Kind(spoil))
	}
	return kinds
}

// Spoil returns how the response to an encrypted call is spoiled.
func (f Fault) Spoil() apisecurity.Spoil {
	if slices.Contains(spoiling(), f.Kind) {
		return apisecurity.Spoil(f.Kind)
	}
	return apisecurity.Good
}

// A Fault is something that goes wrong with coming requests. Of several armed
// for a path, the one armed first strikes.
type Fault struct {
	Path  string // API path; default "*": every path
	Kind  Kind   // required
	Times int    // how often it strikes; 0: until cleared

	// Delay is the wait before the response, in real time: the clock of the
	// simulation does not move meanwhile. Default 0, for slow 1 s.
	Delay time.Duration

	// Probability is the chance that it strikes a request it is armed for, of
	// 1; the dice are seeded by the seed of [New]. Default 0: always.
	Probability float64

	// After lets the request do its work before the response is lost: a code is
	// used although the client never gets the result.
	After bool

	ErrCode  int    // errcode: the code to return; required for it
	AsString bool   // errcode, busy, quotas: write "errcode":"40029"
	Location string // redirect: where to; default "/moved"
}

// WorksFirst reports whether the request's work is done before the fault strikes.
func (f Fault) WorksFirst() bool {
	return f.After || slices.Contains(bending, f.Kind)
}

// check refuses what cannot be meant, and fills in the defaults.
func (f Fault) check() (Fault, error) {
	if f.Path == "" {
		f.Path = "*"
	}
	if f.Kind == Slow && f.Delay == 0 {
		f.Delay = time.Second
	}
	if f.Kind == Redirect && f.Location == "" {
		f.Location = "/moved"
	}
	switch {
	case !slices.Contains(replacing, f.Kind) && !slices.Contains(bending, f.Kind):
		return f, fmt.Errorf("%w: unrecognized kind %q; expected one of: %v", ErrBad, f.Kind, Kinds())
	case f.Path != "*" && !strings.HasPrefix(f.Path, "/"):
		return f, fmt.Errorf(`%w: path %q is neither "*" nor begins with "/"`, ErrBad, f.Path)
	case f.Kind == ErrCode && f.ErrCode == 0:
		return f, fmt.Errorf("%w: errcode missing", ErrBad)
	case f.Times < 0 || f.Delay < 0:
		return f, fmt.Errorf("%w: times and delay cannot be negative", ErrBad)
	case f.Probability < 0 || f.Probability > 1:
		return f, fmt.Errorf("%w: probability %v is not within 0 to 1", ErrBad, f.Probability)
	}
	return f, nil
}
