package caddymodule

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/certmagic"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "dev",
		Usage: "[--port <port>]",
		Short: "Shows wxgate at work: simulator, demo upstream and gateway, offline",
		Long: `
Starts a WeChat simulator, a demo upstream that shows what it received, and the
gateway with Caddyfile.example between them, all on this machine, with no WeChat
account and no network. It prints the curl lines that walk through a login, a
phone number, an authenticated call and a refused one, and runs until Ctrl-C.

Everything it keeps goes into a temporary directory, which it deletes.`,
		CobraFunc: func(cmd *cobra.Command) {
			port := cmd.Flags().Int("port", defaultDevPort, "The gateway's port")
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				return runDev(ctx, devConfig{port: *port, simulator: "127.0.0.1:9901", management: "127.0.0.1:9902", upstream: "127.0.0.1:9000"}, cmd.OutOrStdout())
			}
		},
	})
}

//go:embed Caddyfile.example
var caddyfileExample []byte

const (
	defaultDevPort = 8080
	// devReadyTimeout is how long the gateway may take to come up.
	devReadyTimeout = 20 * time.Second
	// devShutdownTimeout is how long open demo requests may take to finish.
	devShutdownTimeout = 2 * time.Second
)

// devConfig says where the parts of `wxgate dev` listen. Address ports of 0 are
// chosen by the system.
type devConfig struct {
	port                            int
	simulator, management, upstream string
}

// runDev runs until ctx is done.
func runDev(ctx context.Context, cfg devConfig, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "wxgate-dev-")
	if err != nil {
		return fmt.Errorf("making a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	sim, err := wechatsim.Start(ctx, wechatsim.Config{APIAddr: cfg.simulator, ManagementAddr: cfg.management})
	if err != nil {
		return fmt.Errorf("starting the simulator: %w", err)
	}
	defer func() { err = errors.Join(err, sim.Close()) }()

	upstream, stopUpstream, err := serveUpstream(cfg.upstream)
	if err != nil {
		return err
	}
	defer stopUpstream()

	if err := loadDevGateway(dir, cfg.port, sim.URL, upstream); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, caddy.Stop()) }()

	walk := walkthrough{Gateway: fmt.Sprintf("http://127.0.0.1:%d", cfg.port), Management: sim.ManagementURL, Upstream: "http://" + upstream, Dir: dir}
	if err := waitReady(ctx, walk.Gateway); err != nil {
		return err
	}
	if err := walk.print(out); err != nil {
		return fmt.Errorf("printing the walk: %w", err)
	}
	<-ctx.Done()
	return nil
}

// serveUpstream serves the demo upstream and returns its address.
func serveUpstream(addr string) (string, func(), error) {
	listener, err := net.Listen("tcp", addr) //nolint:noctx // a loopback listener opens at once or not at all
	if err != nil {
		return "", nil, fmt.Errorf("starting the demo upstream: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(demoUpstream), ReadHeaderTimeout: devShutdownTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with ErrServerClosed
	}()
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), devShutdownTimeout)
		defer cancel()
		_ = server.Shutdown(ctx) // the process ends next
		<-done
	}
	return listener.Addr().String(), stop, nil
}

// loadDevGateway runs Caddyfile.example with its variables pointing at the
// simulator and its data in dir.
func loadDevGateway(dir string, port int, simulator, upstream string) error {
	for name, value := range map[string]string{
		"WX_APPID":      wechatsim.DefaultApp.ID,
		"WX_SECRET":     wechatsim.DefaultApp.Secret,
		"WX_API":        simulator,
		"UPSTREAM":      upstream,
		"PORT":          fmt.Sprint(port),
		"WXGATE_ADMIN":  filepath.Join(dir, "admin.sock"),
		"XDG_DATA_HOME": dir, // the session store
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	caddy.DefaultStorage = &certmagic.FileStorage{Path: filepath.Join(dir, "caddy")} // the keys
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfileExample, map[string]any{"filename": "Caddyfile.example"})
	if err != nil {
		return fmt.Errorf("adapting Caddyfile.example: %w", err)
	}
	if len(warnings) > 0 {
		return fmt.Errorf("adapting Caddyfile.example: %v", warnings)
	}
	if config, err = quiet(config); err != nil {
		return err
	}
	if err := caddy.Load(config, true); err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	return nil
}

// quiet lowers Caddy's log to what matters between the printed lines.
func quiet(config []byte) ([]byte, error) {
	var tree map[string]any
	if err := json.Unmarshal(config, &tree); err != nil {
		return nil, fmt.Errorf("reading the adapted config: %w", err)
	}
	tree["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{"level": "ERROR"}}}
	return json.Marshal(tree)
}

// waitReady waits until the gateway says that it serves.
func waitReady(ctx context.Context, gateway string) error {
	ctx, cancel := context.WithTimeout(ctx, devReadyTimeout)
	defer cancel()
	const interval = 50 * time.Millisecond
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+defaultPrefix+"/ready", nil)
		if err != nil {
			return fmt.Errorf("asking whether the gateway is ready: %w", err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close() // nothing of it was read
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the gateway did not become ready; its log above says why")
		case <-time.After(interval):
		}
	}
}
