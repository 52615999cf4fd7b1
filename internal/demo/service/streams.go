// Package service has what is behind the gateway of `wxgate dev`: the streams of the demo
// upstream, or the way to a service of one's own.
package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Where the demo upstream serves streams, and where the phone opens them.
const (
	SocketPath = "/live/socket"
	EventsPath = "/live/events"
)

const (
	// tick is the pause between two messages of a stream.
	tick = time.Second
	// writeTimeout bounds the sending of one.
	writeTimeout = 5 * time.Second
)

// Streams serves the streams of the demo upstream, and everything else by next.
func Streams(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET "+SocketPath, serveSocket)
	mux.HandleFunc("GET "+EventsPath, serveEvents)
	return mux
}

// greeting is a message of a stream.
func greeting(r *http.Request, n int) string {
	return fmt.Sprintf("hello %s, message %d", r.Header.Get("X-Wx-Openid"), n)
}

// serveSocket sends messages until the connection is closed.
func serveSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has responded
	}
	defer func() { _ = conn.CloseNow() }()
	ctx := conn.CloseRead(r.Context())
	every(ctx, func(n int) error {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		return conn.Write(ctx, websocket.MessageText, []byte(greeting(r, n)))
	})
}

// serveEvents sends events until the connection is closed.
func serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	every(r.Context(), func(n int) error {
		_, err := fmt.Fprintf(w, "data: %s\n\n", greeting(r, n))
		return errors.Join(err, http.NewResponseController(w).Flush())
	})
}

// every calls send at once and then once a tick, until it fails or ctx is done.
func every(ctx context.Context, send func(n int) error) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 1; send(n) == nil; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
