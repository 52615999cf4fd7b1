package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/bench/load"
	"github.com/wxgate/wxgate/internal/bench/process"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	// loopbackHost is the host on which all servers listen.
	loopbackHost = "127.0.0.1"
	// readyTimeout is how long a server may take to start. It may have to read a large
	// session store.
	readyTimeout = time.Minute
	// readyInterval is how often a starting server is called. It is the resolution of the
	// measured time.
	readyInterval = 2 * time.Millisecond
	// readyPath is the gateway's call for load balancers, as docs/api.md has it.
	readyPath = "/v1.0/pub/ready"

	directoryMode = 0o700
	fileMode      = 0o600
)

// server is a measured server.
type server struct {
	name    string
	address string
	ready   string // a path that is 200 once it serves
	// start is nil for a peer.
	start   *process.Command
	child   *process.Child
	pids    []int
	callers []load.Caller
}

// newGateway prepares a process of Caddy or wxgate.
func (w *workbench) newGateway(name, caddyfile string, port int) (*server, error) {
	home := w.home(name)
	if err := os.MkdirAll(home, directoryMode); err != nil {
		return nil, fmt.Errorf("creating a directory: %w", err)
	}
	config := filepath.Join(home, "Caddyfile")
	if err := os.WriteFile(config, []byte(caddyfile), fileMode); err != nil {
		return nil, fmt.Errorf("writing a Caddyfile: %w", err)
	}
	executable := w.cfg.Executable
	if name == stock {
		executable = w.cfg.Caddy
	}
	return &server{
		name: name, address: loopback(port), ready: "/",
		start: &process.Command{
			Name: name, Path: executable, Args: []string{"run", "--config", config, "--adapter", "caddyfile"},
			Env: []string{
				"HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home,
				"WX_APPID=" + wechatsim.DefaultApp.ID, "WX_SECRET=" + wechatsim.DefaultApp.Secret, "WX_API=" + w.weChat.url,
				"UPSTREAM=" + w.upstream.address, "PORT=" + strconv.Itoa(port), "WXGATE_ADMIN=" + filepath.Join(home, "admin.sock"),
			},
		},
	}, nil
}

// home is the directory of one server.
func (w *workbench) home(name string) string { return filepath.Join(w.dir, name) }

// run starts the process and waits until it serves. It returns how long that took.
func (s *server) run(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	child, err := process.Start(*s.start)
	if err != nil {
		return 0, err
	}
	s.child, s.pids = child, []int{child.PID()}
	err = s.waitReady(ctx)
	return time.Since(began), err
}

// stop ends the process, if it runs.
func (s *server) stop() error {
	if s.child == nil {
		return nil
	}
	defer func() { s.child = nil }()
	return s.child.Stop()
}

// waitReady waits until the server responds with status 200.
func (s *server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+s.ready, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close() // its body was not read
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := pause(ctx, readyInterval, s.child.Done()); err != nil {
			return errors.Join(fmt.Errorf("%s does not serve: %w", s.name, err), s.child.Err())
		}
	}
}

// errInterrupted is the error of an interrupted wait.
var errInterrupted = errors.New("a process or a request failed")

// pause waits, unless ctx or interrupt ends first.
func pause(ctx context.Context, d time.Duration, interrupt <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-interrupt:
		return errInterrupted
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func loopback(port int) string { return net.JoinHostPort(loopbackHost, strconv.Itoa(port)) }

// freePort finds a port on which no process listens. It is below the ports for outgoing
// connections, which might use it before the server does: Caddy shares ports, so the server
// would start and get only a part of its requests.
func freePort(ctx context.Context) (int, error) {
	const first, count, tries = 20000, 12000, 100
	var lc net.ListenConfig
	for range tries {
		port := first + rand.IntN(count) //nolint:gosec // G404: any will do
		listener, err := lc.Listen(ctx, "tcp", loopback(port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.New("no free port was found")
}
