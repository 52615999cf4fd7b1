package wechatsim

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// hugeSize is the padding of a huge answer: more than the 1 MiB a careful
	// client reads.
	hugeSize = 1<<20 + 1<<16

	// dribbles is in how many pieces a slow answer arrives.
	dribbles = 8

	// htmlPage is what a proxy between here and WeChat says in JSON's place.
	htmlPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)

// serveFault answers a request as f has it.
func (s *Sim) serveFault(w http.ResponseWriter, r *http.Request, c call, f Fault, note *Request) {
	var right answer
	if f.worksFirst() {
		right = s.answer(c)
		s.seen.answered(note, right)
	}
	wait := f.Delay
	if f.Kind == FaultSlow {
		wait /= 2
	}
	if !s.pause(r.Context(), wait) {
		drop(w)
		return
	}
	switch f.Kind {
	case FaultTimeout:
		s.hang(r.Context())
		drop(w)
	case FaultReset:
		drop(w)
	case FaultSlow:
		s.dribble(r.Context(), w, right, f.Delay/2)
	case FaultTruncated:
		right.truncate(w)
	default:
		f.instead(c.path, right).write(w)
	}
}

// instead is the answer of the kinds that send a whole one.
func (f Fault) instead(path string, right answer) answer {
	switch h := hosts[platformOf(path)]; f.Kind {
	case FaultBusy:
		return f.refusal(path, h.busy)
	case FaultQuota:
		return f.refusal(path, cmp.Or(h.daily, h.minute, h.busy))
	case FaultMinuteQuota:
		return f.refusal(path, cmp.Or(h.minute, h.busy))
	case FaultErrCode:
		return f.refusal(path, f.ErrCode)
	case FaultHTML:
		return answer{status: http.StatusOK, contentType: "text/html", body: []byte(htmlPage)}
	case FaultHTTP500:
		return answer{status: http.StatusBadGateway, contentType: "text/html", body: []byte(htmlPage)}
	case FaultRedirect:
		return answer{status: http.StatusFound, contentType: "text/html", location: f.Location}
	case FaultControl:
		return right.with("\"remark\":\"\x01\x08\t\n\x1f\"")
	case FaultHuge:
		return right.with(`"padding":"` + string(bytes.Repeat([]byte("x"), hugeSize)) + `"`)
	default: // empty, as seen in the wild for a bad appid
		return answer{status: http.StatusOK, contentType: "text/html; charset=gbk"}
	}
}

// refusal is an errcode, as a number or as a string.
func (f Fault) refusal(path string, errcode int) answer {
	raw := strconv.Itoa(errcode)
	if f.AsString {
		raw = strconv.Quote(raw)
	}
	return failureBody(path, errcode, raw)
}

// with is a with one more member in its JSON object, as raw bytes.
func (a answer) with(member string) answer {
	rest, isObject := bytes.CutPrefix(a.body, []byte("{"))
	switch {
	case !isObject:
		a.body = []byte("{" + member + "}")
	case bytes.HasPrefix(rest, []byte("}")):
		a.body = []byte("{" + member + string(rest))
	default:
		a.body = []byte("{" + member + "," + string(rest))
	}
	return a
}

// truncate promises the whole body and sends half of it; net/http closes the
// connection when a handler leaves it so.
func (a answer) truncate(w http.ResponseWriter) {
	a.header(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:len(a.body)/2])
}

// dribble sends the body in pieces over the time given.
func (s *Sim) dribble(ctx context.Context, w http.ResponseWriter, a answer, over time.Duration) {
	a.header(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	flush := http.NewResponseController(w)
	size := max(1, (len(a.body)+dribbles-1)/dribbles)
	for body := a.body; len(body) > 0; {
		n := min(size, len(body))
		_, err := w.Write(body[:n])
		if err != nil || flush.Flush() != nil || !s.pause(ctx, over/dribbles) {
			return
		}
		body = body[n:]
	}
}

// pause waits for d and says whether client and simulator are both still there.
func (s *Sim) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

// hang waits until the client or the simulator goes away.
func (s *Sim) hang(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.done:
	}
}

// drop ends the connection without an answer, with a reset where TCP allows.
// On a ResponseWriter that has no connection of its own, 502 must do.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // unsent data is discarded, the peer sees RST
	}
	_ = conn.Close()
}
