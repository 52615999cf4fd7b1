package playground

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
)

// maxBody is the longest body that is read, 1 MiB: the simulator's own limit.
const maxBody = 1 << 20

// weChatPages are the paths of the pages that browsers open, and the gateway does not.
const weChatPages = "/connect/"

// Observe records the requests that the gateway sends to WeChat or to the upstream, whose
// handler next is.
func (p *Playground) Observe(party Party, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if party == WeChat && strings.HasPrefix(r.URL.Path, weChatPages) {
			next.ServeHTTP(w, r) // of a browser, which records it itself, or of a real one
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "request body unreadable or too large", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		o := &observed{ResponseWriter: w, recorder: p.recorder, party: party, upgrade: r.Header.Get("Upgrade") != "", began: time.Now()}
		o.hop, o.action = p.recorder.hop()
		m := message{Action: o.action, Hop: o.hop, From: Gateway, To: party, Line: r.Method + " " + r.URL.RequestURI(), Body: describe.Shown(body)}
		if party == WeChat {
			m.Line, m.Body, m.Headers = r.Method+" "+describe.Masked(r.URL.RequestURI()), describe.Masked(m.Body), describe.Listed(r.Header)
		} else {
			got := r.Header.Clone()
			got.Set("Host", r.Host)
			m.Headers = describe.Compared(p.recorder.lastSent(), got)
		}
		p.recorder.message(m)
		defer o.finish()
		next.ServeHTTP(o, r)
	})
}

// observed is a response that is recorded: when it ends, or, if it is a stream, when it
// begins and when it ends.
type observed struct {
	http.ResponseWriter
	recorder    *recorder
	party       Party
	began       time.Time
	hop, action int64
	status      int
	streams     bool
	upgrade     bool // the request asks for another protocol
	hijacked    bool
	body        bytes.Buffer
}

// Unwrap is for [http.ResponseController].
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// WriteHeader notes the status.
func (o *observed) WriteHeader(status int) {
	o.status = status
	if o.streams = status == http.StatusSwitchingProtocols || strings.HasPrefix(o.Header().Get("Content-Type"), "text/event-stream"); o.streams {
		o.reply(describe.StatusLine(status, ""))
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write keeps the beginning of the body.
func (o *observed) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.WriteHeader(http.StatusOK)
	}
	if room := describe.MaxShown + 1 - o.body.Len(); room > 0 && !o.streams {
		o.body.Write(b[:min(room, len(b))])
	}
	return o.ResponseWriter.Write(b)
}

// Hijack records that there is no response, before the client can notice.
func (o *observed) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case o.status == 0 && o.upgrade: // a proxy of WebSockets writes the response itself
		o.status, o.streams = http.StatusSwitchingProtocols, true
		o.reply(describe.StatusLine(o.status, ""))
	case o.status == 0:
		o.reply("connection closed without a response")
		o.hijacked = true
	}
	return http.NewResponseController(o.ResponseWriter).Hijack()
}

// finish records the end of the response.
func (o *observed) finish() {
	switch {
	case o.hijacked:
	case o.streams:
		o.status = 0
		o.reply("stream closed")
	default:
		if o.status == 0 {
			o.status = http.StatusOK // what net/http sends when a handler wrote nothing
		}
		o.reply(describe.StatusLine(o.status, describe.CodeOf(o.body.String())))
	}
}

func (o *observed) reply(line string) {
	m := message{
		Action: o.action, Hop: o.hop, From: o.party, To: Gateway, Reply: true, Line: line, Status: o.status,
		Code: describe.CodeOf(o.body.String()), Millis: millis(time.Since(o.began)), Headers: describe.Listed(o.Header()), Body: describe.Readable(o.Header(), o.body.Bytes()),
	}
	if o.party == WeChat {
		m.Body = describe.Masked(m.Body)
	}
	o.recorder.message(m)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
