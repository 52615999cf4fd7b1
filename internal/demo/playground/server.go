package playground

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
)

//go:embed web
var web embed.FS

// policy lets the page load what this server serves, and nothing else: an injected script
// could otherwise send the tokens on the page to another host.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Handler serves the page, its events and its actions.
func (p *Playground) Handler() http.Handler {
	files, err := fs.Sub(web, "web")
	if err != nil {
		return http.NotFoundHandler() // not reached: the folder is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /events", p.serveEvents)
	mux.HandleFunc("GET /tables", p.serveTables)
	mux.HandleFunc("GET /attacks/{mechanism}", p.serveAttacks)
	mux.HandleFunc("POST /do/{action}", p.serveAction)
	mux.HandleFunc("GET /sh/{action}", p.serveTerminal) // says that it must be a POST
	mux.HandleFunc("POST /sh/{action}", p.serveTerminal)
	return guard(mux)
}

// guard refuses requests that are not from the page itself. A web page elsewhere could
// otherwise end sessions and read tokens: by a form or by fetch (cross-site request
// forgery), by a name that points at this machine (DNS rebinding), or in a frame.
func guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch err := cross.Check(r); {
		case !localName(r.Host):
			http.Error(w, "open the playground by its address, such as 127.0.0.1, or as localhost", http.StatusMisdirectedRequest)
		case err != nil, embedded(r):
			http.Error(w, "only the playground's own page may do this", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// embedded reports whether another site loads a part of the page: only a person opens it.
func embedded(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// localName reports whether a Host header is an address of this machine. Any other name may
// be an attacker's that points here.
func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// serveEvents is GET /events: the state, the history, and what happens from now on, as
// server-sent events.
func (p *Playground) serveEvents(w http.ResponseWriter, r *http.Request) {
	history, next, leave := p.recorder.subscribe()
	context.AfterFunc(r.Context(), leave) // which ends the loop
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	_, err := io.WriteString(w, "retry: 1000\n\n") // ms until a page connects again
	send := func(e event) {
		if e.name != "" && err == nil {
			_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.name, e.data)
		}
	}
	for _, e := range history {
		send(e)
	}
	p.changed() // the page gets it as the first of what is next
	var state event
	for e := range next {
		if e.name == "state" {
			state = e // a page that is behind gets the newest only: it is the longest event
		} else {
			send(e)
		}
		if len(next) > 0 {
			continue
		}
		send(state)
		state = event{}
		if errors.Join(err, control.Flush()) != nil {
			return
		}
	}
}
