package fault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"net/http"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// hugeSize is the padding of a huge response: more than the 1 MiB that a client
	// should read.
	hugeSize = 1<<20 + 1<<16

	// dribbles is in how many pieces a slow response is sent.
	dribbles = 8

	// htmlPage is what a proxy in front of WeChat returns instead of JSON.
	htmlPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)

// Serve responds to a request to an API of host according to f. right is the response without
// the fault, which is only used if f.WorksFirst returns true.
func (l *List) Serve(w http.ResponseWriter, r *http.Request, f Fault, host *protocol.Host, right protocol.Response) {
	wait := f.Delay
	if f.Kind == Slow {
		wait /= 2
	}
	if !l.pause(r.Context(), wait) {
		drop(w)
		return
	}
	switch f.Kind {
	case Timeout:
		l.hang(r.Context())
		drop(w)
	case Reset:
		drop(w)
	case Slow:
		l.dribble(r.Context(), w, right, f.Delay/2)
	case Truncated:
		truncate(w, right)
	default:
		f.instead(host, r.URL.Path, right).Write(w)
	}
}

// instead returns the response of the kinds that send a complete one.
func (f Fault) instead(h *protocol.Host, path string, right protocol.Response) protocol.Response {
	switch f.Kind {
	case Busy:
		return f.refusal(h, path, h.Busy)
	case Quota:
		return f.refusal(h, path, cmp.Or(h.Daily, h.Minute, h.Busy))
	case MinuteQuota:
		return f.refusal(h, path, cmp.Or(h.Minute, h.Busy))
	case ErrCode:
		return f.refusal(h, path, f.ErrCode)
	case HTML:
		return protocol.Response{Status: http.StatusOK, ContentType: "text/html", Body: []byte(htmlPage)}
	case HTTP500:
		return protocol.Response{Status: http.StatusBadGateway, ContentType: "text/html", Body: []byte(htmlPage)}
	case Redirect:
		return protocol.Response{Status: http.StatusFound, ContentType: "text/html", Location: f.Location}
	case Control:
		return withMember(right, "\"remark\":\"\x01\x08\t\n\x1f\"")
	case Huge:
		return withMember(right, `"padding":"`+string(bytes.Repeat([]byte("x"), hugeSize))+`"`)
	case Empty: // as WeChat has responded to a bad appid
		return protocol.Response{Status: http.StatusOK, ContentType: "text/html; charset=gbk"}
	default: // spoiled already, if it is encrypted: see [Fault.Spoil]
		return right
	}
}

// refusal is an error code, as a number or as a string.
func (f Fault) refusal(h *protocol.Host, path string, errcode int) protocol.Response {
	if f.AsString {
		return h.RefuseAsString(path, errcode)
	}
	return h.Refuse(path, errcode)
}

// withMember adds a member, as raw bytes, to the JSON object of a response.
func withMember(a protocol.Response, member string) protocol.Response {
	rest, isObject := bytes.CutPrefix(a.Body, []byte("{"))
	switch {
	case !isObject:
		a.Body = []byte("{" + member + "}")
	case bytes.HasPrefix(rest, []byte("}")):
		a.Body = []byte("{" + member + string(rest))
	default:
		a.Body = []byte("{" + member + "," + string(rest))
	}
	return a
}

// truncate sends the Content-Length of the whole body and half of it; net/http then closes
// the connection.
func truncate(w http.ResponseWriter, a protocol.Response) {
	a.SetHeader(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body[:len(a.Body)/2])
}

// dribble sends the body in pieces within a time.
func (l *List) dribble(ctx context.Context, w http.ResponseWriter, a protocol.Response, over time.Duration) {
	a.SetHeader(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	flush := http.NewResponseController(w)
	size := max(1, (len(a.Body)+dribbles-1)/dribbles)
	for body := a.Body; len(body) > 0; {
		n := min(size, len(body))
		_, err := w.Write(body[:n])
		if err != nil || flush.Flush() != nil || !l.pause(ctx, over/dribbles) {
			return
		}
		body = body[n:]
	}
}

// pause waits for d. It returns false if the client left or the simulator was closed.
func (l *List) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-l.done:
	}
	return false
}

// hang waits until the client leaves or the simulator is closed.
func (l *List) hang(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-l.done:
	}
}

// drop closes the connection without a response, over TCP with a reset. If the
// ResponseWriter has no connection, it sends status 502.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok { // [net.TCPConn], or package simproxy's
		_ = tcp.SetLinger(0) // discards unsent data and sends RST
	}
	_ = conn.Close()
}
