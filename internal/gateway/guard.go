package gateway

import (
	"net/http"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/gateway/browser"
	"github.com/wxgate/wxgate/internal/gateway/failures"
	"github.com/wxgate/wxgate/internal/gateway/wafer"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
)

// Guard decides which requests of a site may pass. Every request goes through the same three
// steps, whether a client or a proxy sent it: receive, [Guard.decide] and send. It is safe for
// concurrent use.
type Guard struct {
	Acquire  func() (*Runtime, error) // the caller releases it
	Server   Server
	Failures *failures.Log
	Logger   *zap.Logger

	Edge      edge.Edge
	Public    edge.PathSet // paths without a token
	Optional  edge.PathSet // paths where a token is optional
	Require   []Requirement
	Admitted  map[auth.AppID]struct{}
	Allowance time.Duration // the maximum age of the newest known revocations
	Wafer     bool          // read the tokens of the Wafer SDKs
	Browser   *browser.Site // accepts the cookies of browsers; nil for none
}

// Server has the functions of the HTTP server that the gateway needs. All are required.
type Server struct {
	RequestID    func(*http.Request) string // the request ID in logs and problems; "" for none
	ClientIP     func(*http.Request) string
	ShuttingDown func(*http.Request) bool
	// OriginalURI returns the path and the query that a request came with.
	OriginalURI func(*http.Request) string
	// Expand replaces the placeholders in a text.
	Expand func(r *http.Request, text string) string

	// SetIdentity sets the placeholders of a request; nil makes them empty.
	SetIdentity func(*http.Request, *auth.Identity)
	// NameUser adds the user of a refused request to the access log, without passing an
	// identity on.
	NameUser func(*http.Request, *auth.Identity)
	// LogCode writes a refusal's error code to the access log.
	LogCode func(r *http.Request, code string)

	// ServeAgain serves a request again from its beginning. edit returns the new query for the
	// original query. Nothing of the first time is logged.
	ServeAgain func(w http.ResponseWriter, r *http.Request, edit func(query string) string) error
}

// received is a request after the headers of the client were cleaned.
type received struct {
	edge.Received

	bearer bearer
}

// bearer is the access token of a request, or the error of reading it.
type bearer struct {
	raw   string
	err   error
	wafer *wafer.Headers // nil unless the request has such headers

	cookies browser.Cookies // of a browser session
	origin  error           // the error if the cookies are refused
}

// sent reports whether the request has a token, valid or not.
func (b bearer) sent() bool { return b.raw != "" || b.err != nil }

// credential reports whether the request has a token or a session cookie, valid or not.
func (b bearer) credential() bool { return b.sent() || b.cookies.Sent() }

// receive removes identity headers from a request and reads its credential. The headers of the
// Wafer SDKs are read first: their names are among those that are removed.
func (g *Guard) receive(r *http.Request) (received, error) {
	var sdk *wafer.Headers
	if g.Wafer {
		sdk = wafer.Take(r.Header)
	}
	query := r.URL.RawQuery // the token may be removed from the query
	in, err := g.Edge.Receive(r)
	if in.Spoofed > 0 {
		g.spoofed(r, in.Spoofed)
	}
	b := bearer{wafer: sdk}
	b.raw, b.err = sdk.Join(in.Token, in.TokenErr, query)
	if g.Browser != nil {
		if b.cookies = g.Browser.Take(r.Header); b.cookies.Sent() {
			b.origin = g.Browser.CheckOrigin(r)
		}
	}
	return received{in, b}, err
}

// spoofed counts removed headers. No honest client sends them: they are a sign of an attack.
func (g *Guard) spoofed(r *http.Request, n int) {
	metrics.Stripped.Add(float64(n))
	if entry := g.Logger.Check(zapcore.DebugLevel, "removed identity headers sent by a client"); entry != nil {
		entry.Write(zap.Int("headers", n), zap.String("path", r.URL.Path))
	}
}

// send writes the result of a decision for the upstream: the identity goes to header, and to
// the placeholders of r. An anonymous request has neither.
func (g *Guard) send(r *http.Request, header http.Header, d decision) {
	g.Server.SetIdentity(r, d.id)
	if d.id == nil {
		metrics.AnonymousRequests.Inc()
		return
	}
	g.Edge.Send(r, header, d.id, d.assertion)
	metrics.AdmittedRequests.Inc()
}

// refuse responds with a problem. The cause goes to the log. The identity is nil unless the
// request's token was valid; the access log then contains its user.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, id *auth.Identity, err error) error {
	p := problem.Of(err)
	g.Server.SetIdentity(r, nil)
	if id != nil {
		g.Server.NameUser(r, id)
	}
	metrics.Requests.WithLabelValues(p.Code).Inc()
	g.log("request refused", p, r)
	return g.writeProblem(w, r, p)
}

// writeProblem responds with a problem, and adds its code to the access log.
func (g *Guard) writeProblem(w http.ResponseWriter, r *http.Request, p *problem.Problem) error {
	g.Server.LogCode(r, p.Code)
	return p.For(r).Write(w, g.Server.RequestID(r))
}

func (g *Guard) log(message string, p *problem.Problem, r *http.Request) {
	g.Failures.Log(g.Logger, message, p, r, g.Server.RequestID)
}
