// Package simproxy has SDKs whose URLs are fixed call the simulator: it is an HTTP proxy for the
// hosts of WeChat and its siblings, and responds in their place, with certificates of a CA that it
// makes. It forwards nothing: a request to any other host is refused.
//
// The same port accepts TLS from clients that were sent to it by other means, such as
// /etc/hosts, and for which it is the host itself.
package simproxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/wxgate/wxgate/internal/wechatsim/serving"
)

// Config is what a proxy needs.
type Config struct {
	Addr   string            // where to listen
	CAFile string            // where the certificate of the CA is written
	API    http.Handler      // the simulator's
	Notice func(text string) // called when a client was refused, or refused the certificate
}

// A Proxy is a running proxy.
type Proxy struct {
	URL    string // for this machine, without a slash at the end
	Public bool   // other machines may reach the proxy

	cfg       Config
	listener  net.Listener
	sorter    sorter
	servers   []*http.Server
	serving   sync.WaitGroup
	ctx       context.Context //nolint:containedctx // ends connections that are not sorted yet
	cancel    context.CancelFunc
	closeOnce sync.Once
	closeErr  error
}

// Serve writes the certificate of a new CA and serves the proxy until Close. The error is
// [ErrCAFile] if it cannot write it.
func Serve(ctx context.Context, cfg Config) (*Proxy, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("making a CA: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening for the proxy: %w", err)
	}
	if err := writeCA(cfg.CAFile, ca.pem); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p := &Proxy{URL: serving.URL(listener.Addr().String()), Public: !isThisMachine(listener.Addr().String()), cfg: cfg, listener: listener}
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.sorter.plain, p.sorter.secure = newQueue(listener.Addr()), newQueue(listener.Addr())
	p.serve(p.sorter.plain)
	p.serve(tls.NewListener(p.sorter.secure, &tls.Config{
		Certificates: []tls.Certificate{ca.leaf}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}))
	p.serving.Go(p.accept)
	return p, nil
}

func (p *Proxy) serve(ln net.Listener) {
	server := serving.New(p)
	server.ErrorLog = log.New(handshakes{p}, "", 0)
	p.servers = append(p.servers, server)
	p.serving.Go(func() { _ = server.Serve(ln) })
}

// handshakes is the log of the servers. It reports clients that do not trust the CA: they
// send an alert, or just leave.
type handshakes struct{ proxy *Proxy }

// Write implements [io.Writer].
func (h handshakes) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "TLS handshake error") {
		h.proxy.cfg.Notice("TLS failed: a client did not accept the certificate; it must trust " + h.proxy.cfg.CAFile)
	}
	return len(line), nil
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // Close was called
		}
		p.sorter.sort(p.ctx, conn, bufio.NewReader(conn))
	}
}

// Close ends the proxy and waits for it. Close the simulator first: it ends responses that a
// fault delays.
func (p *Proxy) Close() error {
	p.closeOnce.Do(func() {
		p.closeErr = p.listener.Close()
		p.cancel()
		p.closeErr = errors.Join(p.closeErr, serving.Shutdown(p.servers))
		p.sorter.sorting.Wait()
		p.serving.Wait()
	})
	return p.closeErr
}

// ServeHTTP opens a tunnel to a simulated host, or responds in the place of one.
//
// A proxy gets the whole URL of a request. Some clients, axios among them, send that of an https
// request too and ask for no tunnel.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	platform, known := platformAt(r.Host)
	switch {
	case r.Method == http.MethodConnect && tunneled(r.Host):
		p.tunnel(w)
	case r.Method == http.MethodConnect, !known && (r.URL.Host != "" || !isThisMachine(r.Host)):
		p.refuse(w, r.Host)
	default:
		if r.URL.Scheme == "https" && r.TLS == nil {
			r.TLS = &tls.ConnectionState{} // a signature covers the scheme
		}
		p.cfg.API.ServeHTTP(w, below(platform, r))
	}
}

// refuse responds to a request to a host that is not simulated.
func (p *Proxy) refuse(w http.ResponseWriter, host string) {
	p.cfg.Notice("refused: " + host + " is not a simulated host")
	http.Error(w, fmt.Sprintf("wxgate sim: %q is not simulated, and nothing is forwarded; set NO_PROXY=%s if it is not a host of WeChat", host, hostOf(host)), http.StatusForbidden)
}

// tunnel confirms a CONNECT, and has what comes through the tunnel sorted as if it had come
// directly.
func (p *Proxy) tunnel(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "a tunnel needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	p.sorter.sort(p.ctx, conn, buffered.Reader)
}
