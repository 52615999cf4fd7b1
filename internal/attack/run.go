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

	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

const (
	// maxRun bounds a whole run. The corpus takes a few seconds on loopback, and minutes
	// if the gateway does not respond.
	maxRun = 10 * time.Minute
	// grace is how long the echo waits for more requests after a response. It waits longer for
	// a smuggled request, which may arrive at any time.
	grace         = 2 * time.Millisecond
	smuggledGrace = 60 * time.Millisecond
)

// Config is the configuration of a run.
type Config struct {
	Target    corpus.Target
	Echo      *wire.Echo
	Protocols []wire.Protocol // default: all
	// Only, if set, selects the attacks to run.
	Only func(*corpus.Attack) bool
	// Report, if set, is called with each finding at once.
	Report func(Finding)
}

// errLimited means that a rate limit refused the attack. That is not a defense: a minute later
// the same attack may succeed.
var errLimited = errors.New("the gateway returned 429: raise its rate limits for the run")

// run is the state of a run.
type run struct {
	client   *wire.Client
	target   *corpus.Target
	echo     *wire.Echo
	secrets  *corpus.Secrets
	count    int // of requests, for markers
	admitted map[wire.Protocol]*wire.Seen
	tests    map[corpus.Control]corpus.Test
	controls map[controlKey]error
}

type controlKey struct {
	control  corpus.Control
	protocol wire.Protocol
}

// Run sends the corpus to the target and returns a finding for each attack and protocol. The
// error describes why the run could not start or was cut short.
func Run(ctx context.Context, cfg Config) ([]Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxRun, fmt.Errorf("%w: it took longer than %s", wire.ErrCut, maxRun))
	defer cancel()
	target := cfg.Target
	target.Defaults()
	host, secure, err := target.Address()
	if err != nil {
		return nil, err
	}
	c := wire.NewClient(host, secure, target.Insecure)
	cfg.Echo.Publish(corpus.AttackerJWKS())
	r := &run{
		client: c, target: &target, echo: cfg.Echo, admitted: map[wire.Protocol]*wire.Seen{},
		tests: controls(&target), controls: map[controlKey]error{},
	}
	if r.secrets, err = obtain(ctx, c, &target, cfg.Echo.Addr); err != nil {
		return nil, fmt.Errorf("getting the attack user's token: %w", err)
	}
	protocols := cfg.Protocols
	if len(protocols) == 0 {
		protocols = []wire.Protocol{wire.H1, wire.H2, wire.H3}
	}
	var findings []Finding
	attacks := Corpus(&target)
	for _, p := range protocols {
		for i := range attacks {
			a := &attacks[i]
			if !a.Over(p) || cfg.Only != nil && !cfg.Only(a) {
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
func (r *run) finding(ctx context.Context, a *corpus.Attack, p wire.Protocol) Finding {
	f := Finding{ID: a.ID, Mechanism: a.Mechanism.Name, Advisories: a.CVEs(), Protocol: p, Request: a.Request.String()}
	reason, err := r.attack(ctx, a, &f)
	switch {
	case errors.Is(err, corpus.ErrNotApplicable) || errors.Is(err, wire.ErrNoProtocol):
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

// attack returns why the attack succeeded, "" if it did not, and an error if the result
// is unknown. It sets the finding's evidence.
func (r *run) attack(ctx context.Context, a *corpus.Attack, f *Finding) (string, error) {
	if a.Inapplicable != "" {
		return "", fmt.Errorf("%w: %s", corpus.ErrNotApplicable, a.Inapplicable)
	}
	p := f.Protocol
	needs := a.Needs
	if !slices.Contains(needs, corpus.Admitted) {
		needs = append([]corpus.Control{corpus.Admitted}, needs...) // also records the form of an honest request
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
	f.Evidence = e
	if e.Response != nil && e.Response.Status == http.StatusTooManyRequests && !a.LimitBlocks {
		return "", errLimited
	}
	reason := a.Judge(e)
	if reason == "" {
		reason = corpus.Exposed(e)
	}
	if reason == "" && e.Response == nil && !a.Request.Early {
		// The gateway closed the connection: it refused the attack, or it is down.
		delete(r.controls, controlKey{corpus.Admitted, p})
		if err := r.control(ctx, corpus.Admitted, p); err != nil {
			return "", fmt.Errorf("after the attack, control %q: %w", corpus.Admitted, err)
		}
	}
	return reason, nil
}

// control runs a control once for each protocol.
func (r *run) control(ctx context.Context, name corpus.Control, p wire.Protocol) error {
	key := controlKey{name, p}
	if err, done := r.controls[key]; done {
		return err
	}
	c := r.tests[name]
	e, err := r.evidence(ctx, p, &corpus.Attack{Before: c.Before, Request: c.Request, Forge: c.Forge})
	if err == nil {
		err = c.Check(e)
	}
	if name == corpus.Admitted && err == nil {
		r.admitted[p] = e.Seen[0]
		r.secrets.NoteAssertion(e.Seen[0])
	}
	r.controls[key] = err
	return err
}

// evidence sends an attack's requests and collects the results.
func (r *run) evidence(ctx context.Context, p wire.Protocol, a *corpus.Attack) (*corpus.Evidence, error) {
	r.count++
	marker := strconv.Itoa(r.count)
	placeholders, err := r.placeholders(ctx, marker, a)
	if err != nil {
		return nil, err
	}
	r.echo.Reset()
	for i := range a.Before {
		filled := a.Before[i].Fill(placeholders)
		if _, err := r.client.Send(ctx, p, &filled); err != nil {
			return nil, fmt.Errorf("preparing the attack: %w", err)
		}
	}
	filled := a.Request.Fill(placeholders)
	filled.Header = append(filled.Header, wire.Field{Name: wire.MarkerHeader, Value: marker}) // Fill made a new slice
	e := &corpus.Evidence{Target: r.target, Protocol: p, Admitted: r.admitted[p]}
	if p == wire.H1 {
		e.Sent = string(filled.Bytes(r.client.Host))
	}
	if filled.Early {
		if err = r.client.SendEarly(ctx, &filled); errors.Is(err, wire.ErrNoEarlyData) {
			err = fmt.Errorf("%w: %w", corpus.ErrNotApplicable, err)
		}
	} else {
		e.Response, err = r.client.Send(ctx, p, &filled)
	}
	if notSent(err) || ctx.Err() != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	wait := grace
	if a.Smuggles() || filled.Raw != "" || e.Response == nil {
		wait = smuggledGrace
	}
	if err := r.echo.Settle(ctx, wait); err != nil {
		return nil, err
	}
	e.Seen, e.Fetched = r.echo.Take(marker)
	if a.After != nil {
		filled := a.After.Fill(placeholders)
		if e.After, err = r.client.Send(ctx, wire.H1, &filled); err != nil {
			return nil, fmt.Errorf("checking the effect of the attack: %w", err)
		}
	}
	return e, nil
}

// notSent reports whether the attack could not be sent. After any other error, the
// gateway closed the connection, which is a result.
func notSent(err error) bool {
	return errors.Is(err, wire.ErrDial) || errors.Is(err, wire.ErrNoProtocol) || errors.Is(err, corpus.ErrNotApplicable) || errors.Is(err, wire.ErrCut)
}

// placeholders returns a replacer for the placeholders in braces in an attack's requests.
func (r *run) placeholders(ctx context.Context, marker string, a *corpus.Attack) (*strings.Replacer, error) {
	if r.secrets.Token == "" && a.Mentions("{token}") {
		return nil, fmt.Errorf("%w: no access token in addition to the cookie: give --token or --code-url", corpus.ErrNotApplicable)
	}
	name, value := r.target.SessionCookie()
	pairs := []string{
		"{cookie}", r.target.Cookie, "{cookie-name}", name, "{cookie-value}", value, "{origin}", r.target.Origin,
		"{token}", r.secrets.Token, "{victim}", corpus.Victim, "{host}", r.client.Host, "{upstream}", r.echo.Addr,
		"{marker}", marker, "{smuggled}", wire.SmuggledPath + marker,
	}
	if a.Forge != nil {
		token, err := a.Forge(r.secrets)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "{forged}", token)
	}
	if a.Mentions("{handle}") {
		if r.secrets.Handle == "" {
			return nil, fmt.Errorf("%w: no session handle: log in with --code-url", corpus.ErrNotApplicable)
		}
		pairs = append(pairs, "{handle}", r.secrets.Handle)
	}
	if a.Mentions("{ticket}") {
		ticket, err := r.ticket(ctx)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "{ticket}", ticket)
	}
	if a.Mentions("{code}") {
		code, err := mint(ctx, r.target)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "{code}", code)
	}
	return strings.NewReplacer(pairs...), nil
}
