package command

import (
	"context"
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

	"github.com/wxgate/wxgate/internal/demo"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// devSpec is `wxgate dev`.
var devSpec = caddycmd.Command{
	Name:  "dev",
	Usage: "[--port <port>]",
	Short: "Runs a demo offline: simulator, upstream and gateway",
	Long: `
Starts a WeChat simulator, a demo upstream that shows what it received, and the
gateway with Caddyfile.example between them, all on this machine, with no WeChat
account and no network. It prints the curl lines that walk through a login, a
phone number, an authenticated call and a refused one, and runs until Ctrl-C.

Everything listens on loopback only. If a port is in use, a free one is chosen and
printed, unless the port was set with --port.

Everything it keeps goes into a temporary directory, which it deletes.`,
	CobraFunc: func(cmd *cobra.Command) {
		port := cmd.Flags().Uint16("port", defaultDevPort, "Port of the gateway; 0 chooses a free one")
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			cfg := devConfig{gateway: loopback(*port), simulator: "127.0.0.1:9901", management: "127.0.0.1:9902", upstream: "127.0.0.1:9000"}
			if err := cfg.choosePorts(cmd.Flags().Changed("port")); err != nil {
				return err
			}
			return runDev(ctx, cfg, cmd.OutOrStdout())
		}
	},
}

const (
	// defaultDevPort is not the port of Caddyfile.example, which may run beside it:
	// Caddy shares ports, so that both would start and share the requests.
	defaultDevPort = 8088
	// devReadyTimeout is how long the gateway may take to start.
	devReadyTimeout = 20 * time.Second
	// devShutdownTimeout is how long open demo requests may take to finish.
	devShutdownTimeout = 2 * time.Second
)

// devConfig has the addresses of the parts of `wxgate dev`.
type devConfig struct {
	gateway, simulator, management, upstream string
}

func loopback(port uint16) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// choosePorts replaces addresses that are in use; asked reports that the gateway's must
// not be replaced.
//
// Caddy shares its ports with other processes (SO_REUSEPORT), so a second gateway on the
// same port would start and get every other connection of the first:
// https://github.com/caddyserver/caddy/issues/6515.
func (c *devConfig) choosePorts(asked bool) error {
	if _, err := listenable(c.gateway); asked && err != nil {
		return fmt.Errorf("the port is in use; choose another with --port: %w", err)
	}
	for _, addr := range []*string{&c.gateway, &c.simulator, &c.management, &c.upstream} {
		chosen, err := listenable(*addr)
		if err != nil {
			chosen, err = listenable(loopback(0))
		}
		if err != nil {
			return fmt.Errorf("finding a free port: %w", err)
		}
		*addr = chosen
	}
	return nil
}

// listenable tries an address and returns it, with the chosen port if that was 0.
func listenable(addr string) (string, error) {
	listener, err := net.Listen("tcp", addr) //nolint:noctx // a loopback listener opens at once or not at all
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// runDev runs until ctx is done.
func runDev(ctx context.Context, cfg devConfig, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "wxgate-dev-")
	if err != nil {
		return fmt.Errorf("creating a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	sim, err := simserver.Start(ctx, wechatsim.Config{APIAddr: cfg.simulator, ManagementAddr: cfg.management})
	if err != nil {
		return fmt.Errorf("starting the simulator: %w", err)
	}
	defer func() { err = errors.Join(err, sim.Close()) }()

	upstream, stopUpstream, err := serveUpstream(cfg.upstream)
	if err != nil {
		return err
	}
	defer stopUpstream()

	if err := loadDevGateway(dir, cfg.gateway, sim.URL, upstream); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, caddy.Stop()) }()

	walk := demo.Walkthrough{Gateway: "http://" + cfg.gateway, Management: sim.ManagementURL, Upstream: "http://" + upstream, Dir: dir}
	if err := waitReady(ctx, walk.Gateway); err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C came first
		}
		return err
	}
	if err := walk.Print(out); err != nil {
		return fmt.Errorf("printing the walkthrough: %w", err)
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
	server := &http.Server{Handler: http.HandlerFunc(demo.Upstream), ReadHeaderTimeout: devShutdownTimeout}
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
func loadDevGateway(dir, addr, simulator, upstream string) error {
	for name, value := range map[string]string{
		"WX_APPID":      wechatsim.DefaultApp.ID,
		"WX_SECRET":     wechatsim.DefaultApp.Secret,
		"WX_API":        simulator,
		"UPSTREAM":      upstream,
		"WXGATE_ADMIN":  filepath.Join(dir, "admin.sock"),
		"XDG_DATA_HOME": dir, // the session store
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	caddy.DefaultStorage = &certmagic.FileStorage{Path: filepath.Join(dir, "caddy")} // the keys
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(demo.Caddyfile, map[string]any{"filename": "Caddyfile.example"})
	if err != nil {
		return fmt.Errorf("adapting Caddyfile.example: %w", err)
	}
	if len(warnings) > 0 {
		return fmt.Errorf("adapting Caddyfile.example: %v", warnings)
	}
	if config, err = confine(config, addr); err != nil {
		return err
	}
	if err := caddy.Load(config, true); err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	return nil
}

// confine moves the one server of a configuration to addr, which only this machine can
// reach, and limits Caddy's log to errors.
func confine(config []byte, addr string) ([]byte, error) {
	var tree struct {
		Admin   json.RawMessage `json:"admin"`
		Storage json.RawMessage `json:"storage,omitempty"`
		Logging any             `json:"logging"`
		Apps    struct {
			WXGate json.RawMessage `json:"wxgate"`
			HTTP   struct {
				Servers map[string]map[string]any `json:"servers"`
			} `json:"http"`
		} `json:"apps"`
	}
	if err := caddy.StrictUnmarshalJSON(config, &tree); err != nil {
		return nil, fmt.Errorf("reading the adapted config: %w", err)
	}
	tree.Logging = map[string]any{"logs": map[string]any{"default": map[string]any{"level": "ERROR"}}}
	for _, server := range tree.Apps.HTTP.Servers {
		server["listen"] = []string{addr}
	}
	return json.Marshal(tree)
}

// waitReady waits until the gateway is ready.
func waitReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, devReadyTimeout)
	defer cancel()
	const interval = 50 * time.Millisecond
	client := &http.Client{Timeout: devReadyTimeout}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+gateway.DefaultPrefix+"/ready", nil)
		if err != nil {
			return fmt.Errorf("checking whether the gateway is ready: %w", err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close() // nothing of it was read
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the gateway did not become ready; see its log above")
		case <-time.After(interval):
		}
	}
}
