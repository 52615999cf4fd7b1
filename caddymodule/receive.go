package caddymodule

import (
	"net/http"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// received is what a client sent, once everything was removed from the request that
// only the gateway may send to an upstream.
type received struct {
	bearer  bearer
	path    requestPath
	pathErr error // why the gateway cannot decide on the path
}

// receive cleans a request and reads it. It removes first and refuses later, so that
// no response and no error route gets an identity that a client wrote.
func (g *guard) receive(r *http.Request) (received, error) {
	in := received{bearer: g.takeBearer(r)}
	if p := screen(r); p != nil {
		return in, p
	}
	if g.decidesOnPaths() && !g.asked {
		dropPathOverrides(r)
	}
	in.path, in.pathErr = g.requestPath(r)
	if in.pathErr == nil && belongsToAPI(r, g.prefix) {
		in.pathErr = errNoSuchCall
	}
	return in, nil
}

// takeBearer removes everything from the request that a client must not send
// upstream, and returns the token that was in it. The headers of the Wafer SDKs come
// first: their names are among those that are removed.
func (g *guard) takeBearer(r *http.Request) bearer {
	wafer := g.wafer.take(r.Header)
	if n := g.headers.strip(r); n > 0 {
		g.spoofed(r, n)
	}
	query := r.URL.RawQuery // the token may be taken out of it
	raw, err := g.credentials.take(r)
	return wafer.join(bearer{raw: raw, err: err}, query)
}

// spoofed counts what no honest client sends: a free sign of an intrusion.
func (g *guard) spoofed(r *http.Request, n int) {
	metrics.stripped.Add(float64(n))
	if entry := g.logger.Check(zapcore.DebugLevel, "identity headers of a client stripped"); entry != nil {
		entry.Write(zap.Int("headers", n), zap.String("path", r.URL.Path))
	}
}
