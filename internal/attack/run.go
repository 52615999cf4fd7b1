package attack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxRun bounds a whole run: the corpus takes a few seconds of a gateway on
	// loopback, and minutes of one that answers nothing.
	maxRun = 10 * time.Minute
	// grace is how long the upstream is watched after an answer; a smuggled
	// request gets longer, since nothing announces it.
	grace         = 2 * time.Millisecond
	smuggledGrace = 60 * time.Millisecond
)

// Config is what a run needs.
type Config struct {
	Target    Target
	Echo      *Echo
	Protocols []Protocol // default all
	// Only, when set, says which attacks to run.
	Only func(*Attack) bool
	// Report, when set, gets each finding as it is made.
	Report func(Finding)
}

// errLimited says that an attack was not looked at, which is no defence against
// the same attack a minute later.
var errLimited = errors.New("the gateway answered 429: raise its rate limits for the run")

// run is one run under way.
type run struct {
	*client
	target   *Target
	echo     *Echo
	secrets  *Secrets
	count    int // of requests, for markers
	admitted map[Protocol]*Seen
	controls map[controlKey]error
}

type controlKey struct {
	control  Control
	protocol Protocol
}

// Run sends the corpus to the target and returns a finding for each attack and
// protocol. The error says why the run could not begin or was cut short.
func Run(ctx context.Context, cfg Config) ([]Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxRun, fmt.Errorf("%w: it took longer than %s", errCut, maxRun))
	defer cancel()
	target := cfg.Target
	target.Defaults()
	c, err := newClient(&target)
	if err != nil {
		return nil, err
	}
	r := &run{client: c, target: &target, echo: cfg.Echo, admitted: map[Protocol]*Seen{}, controls: map[controlKey]error{}}
	if r.secrets, err = c.obtain(ctx, &target, cfg.Echo.Addr); err != nil {
		return nil, fmt.Errorf("getting the attack user's token: %w", err)
	}
	protocols := cfg.Protocols
	if len(protocols) == 0 {
		protocols = everyProtocol
	}
	var findings []Finding
	corpus := Corpus(&target)
	for _, p := range protocols {
		for i := range corpus {
			a := &corpus[i]
			if !a.over(p) || cfg.Only != nil && !cfg.Only(a) {
				continue
			}
			if ctx.Err() != nil {
				return findings, context.Cause(ctx)
			}
			f := r.finding(ctx, a, p)
			findings = append(findings, f)
			if cfg.Report != nil {
				cfg.Report(f)
			}
		}
	}
	return findings, nil
}

// finding runs one attack over one protocol.
func (r *run) finding(ctx context.Context, a *Attack, p Protocol) Finding {
	f := Finding{ID: a.ID, Mechanism: a.Mechanism.Name, Advisories: a.CVEs(), Protocol: p, Request: a.Request.String()}
	reason, err := r.attack(ctx, a, p)
	switch {
	case errors.Is(err, errNotApplicable) || errors.Is(err, errNoProtocol):
		f.Verdict, f.Reason = NotApplicable, err.Error()
	case err != nil:
		f.Verdict, f.Reason = Inconclusive, err.Error()
	case reason != "":
		f.Verdict, f.Reason = Succeeded, reason
	default:
		f.Verdict = Blocked
	}
	return f
}

// attack returns why the attack succeeded, "" when it did not, and an error when
// that cannot be told.
func (r *run) attack(ctx context.Context, a *Attack, p Protocol) (string, error) {
	needs := a.Needs
	if !slices.Contains(needs, admitted) {
		needs = append([]Control{admitted}, needs...) // also says what an honest request looks like
	}
	for _, c := range needs {
		if err := r.control(ctx, c, p); err != nil {
			return "", fmt.Errorf("control %q: %w", c, err)
		}
	}
	e, err := r.evidence(ctx, p, a)
	if err != nil {
		return "", err
	}
	if e.Answer != nil && e.Answer.Status == http.StatusTooManyRequests && !a.LimitBlocks {
		return "", errLimited
	}
	reason := a.Judge(e)
	if reason == "" && e.Answer == nil && !a.Request.Early {
		// It hung up on the attack, or it is down: only one of the two is a defence.
		delete(r.controls, controlKey{admitted, p})
		if err := r.control(ctx, admitted, p); err != nil {
			return "", fmt.Errorf("after the attack, control %q: %w", admitted, err)
		}
	}
	return reason, nil
}

// control runs a control, once for each protocol.
func (r *run) control(ctx context.Context, name Control, p Protocol) error {
	key := controlKey{name, p}
	if err, done := r.controls[key]; done {
		return err
	}
	c := r.target.controls()[name]
	e, err := r.evidence(ctx, p, &Attack{Before: c.before, Request: c.request, Forge: c.forge})
	if err == nil {
		err = c.check(e)
	}
	if name == admitted && err == nil {
		r.admitted[p] = e.Seen[0]
		r.secrets.noteAssertion(e.Seen[0])
	}
	r.controls[key] = err
	return err
}

// evidence sends an attack's requests and collects what they left behind.
func (r *run) evidence(ctx context.Context, p Protocol, a *Attack) (*Evidence, error) {
	r.count++
	marker := strconv.Itoa(r.count)
	words, err := r.words(ctx, marker, a)
	if err != nil {
		return nil, err
	}
	r.echo.reset()
	for i := range a.Before {
		filled := a.Before[i].fill(words)
		if _, err := r.send(ctx, p, &filled); err != nil {
			return nil, fmt.Errorf("preparing the attack: %w", err)
		}
	}
	filled := a.Request.fill(words)
	filled.Header = append(filled.Header, Field{markerHeader, marker}) // fill made it anew
	e := &Evidence{Target: r.target, Protocol: p, Admitted: r.admitted[p]}
	if filled.Early {
		err = r.sendEarly(ctx, &filled)
	} else {
		e.Answer, err = r.send(ctx, p, &filled)
	}
	if unanswerable(err) || ctx.Err() != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	wait := grace
	if a.Mechanism == smuggleMechanism || filled.Raw != "" || e.Answer == nil {
		wait = smuggledGrace
	}
	if err := r.echo.settle(ctx, wait); err != nil {
		return nil, err
	}
	e.Seen, e.Fetched = r.echo.take(marker)
	if a.After != nil {
		filled := a.After.fill(words)
		if e.After, err = r.send(ctx, H1, &filled); err != nil {
			return nil, fmt.Errorf("looking at what the attack did: %w", err)
		}
	}
	return e, nil
}

// unanswerable says that an attack could not be sent. Any other error is the
// gateway hanging up on it, which is an answer.
func unanswerable(err error) bool {
	return errors.Is(err, errDial) || errors.Is(err, errNoProtocol) || errors.Is(err, errNotApplicable) || errors.Is(err, errCut)
}

// words are what the words in braces stand for in an attack's requests.
func (r *run) words(ctx context.Context, marker string, a *Attack) (*strings.Replacer, error) {
	pairs := []string{
		"{token}", r.secrets.Token, "{victim}", victim, "{host}", r.host, "{upstream}", r.echo.Addr,
		"{marker}", marker, "{smuggled}", markerPath + marker,
	}
	if a.Forge != nil {
		token, err := a.Forge(r.secrets)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "{forged}", token)
	}
	if a.mentions("{handle}") {
		if r.secrets.Handle == "" {
			return nil, fmt.Errorf("%w: no session handle: log in with --code-url", errNotApplicable)
		}
		pairs = append(pairs, "{handle}", r.secrets.Handle)
	}
	if a.mentions("{code}") {
		code, err := mint(ctx, r.target)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "{code}", code)
	}
	return strings.NewReplacer(pairs...), nil
}

// mentions reports whether a word stands in one of the attack's requests.
func (a *Attack) mentions(word string) bool {
	for _, request := range append(slices.Clone(a.Before), a.Request) {
		if strings.Contains(request.Path+request.Body+request.Raw, word) {
			return true
		}
	}
	return false
}
