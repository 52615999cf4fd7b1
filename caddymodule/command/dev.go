package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/certmagic"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/attack/wire"
	"github.com/wxgate/wxgate/internal/demo"
	"github.com/wxgate/wxgate/internal/demo/playground"
	"github.com/wxgate/wxgate/internal/demo/service"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// devSpec is the command `wxgate dev`.
var devSpec = caddycmd.Command{
	Name:  "dev",
	Usage: "[--port <port>] [--upstream <host:port>]",
	Short: "Runs a demo offline: simulator, upstream and gateway",
	Long: `
Starts a WeChat simulator, a demo upstream that shows what it received, and the
gateway between them, all on this machine, with no WeChat account and no network.
It prints the address of the playground, a page with a phone to tap, browsers to
log in with and each request that they cause, and short curl lines for the same
in a terminal. It runs until Ctrl-C.

With --upstream, your own service is behind the gateway instead of the demo. It
receives the requests of the page, each with the openid of the user in X-WX-OPENID,
and the page shows what it received and responded. It may be started later.

Everything listens on loopback only. If a port is in use, a free one is chosen and
printed, unless the port was set with --port.

Everything it keeps goes into a temporary directory, which it deletes.`,
	CobraFunc: func(cmd *cobra.Command) {
		port := cmd.Flags().Uint16("port", defaultDevPort, "Port of the gateway; 0 chooses a free one")
		upstream := cmd.Flags().String("upstream", "", "Address of your own service, such as 127.0.0.1:3000; default: a demo")
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			own, err := ownService(*upstream, cmd.Flags().Changed("upstream"))
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			cfg := devConfig{gateway: loopback(*port), simulator: "127.0.0.1:9901", management: "127.0.0.1:9902", upstream: "127.0.0.1:9000", playground: "127.0.0.1:8089", attacked: "127.0.0.1:8087", echo: "127.0.0.1:9001", own: own}
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
	gateway, simulator, management, upstream, playground, attacked, echo string

	own *service.Own // instead of the demo upstream; nil if none
}

// ownService reads --upstream.
func ownService(address string, asked bool) (*service.Own, error) {
	if !asked {
		return nil, nil //nolint:nilnil // there is none
	}
	return service.Parse(address)
}

func loopback(port uint16) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// choosePorts replaces addresses that are in use. If asked is true, the user chose the port
// of the gateway, and it is not replaced.
//
// Caddy shares its ports with other processes (SO_REUSEPORT), so a second gateway on the
// same port would start and get every other connection of the first:
// https://github.com/caddyserver/caddy/issues/6515.
func (c *devConfig) choosePorts(asked bool) error {
	if asked && c.own.Has(c.gateway) {
		return fmt.Errorf("port %s is that of your service; choose another with --port", portOf(c.gateway))
	}
	if _, err := listenable(c.gateway); asked && err != nil {
		return fmt.Errorf("the port is in use; choose another with --port: %w", err)
	}
	for _, addr := range []*string{&c.gateway, &c.simulator, &c.management, &c.upstream, &c.playground, &c.attacked, &c.echo} {
		chosen, err := listenable(*addr)
		if err != nil || c.own.Has(chosen) { // the service may start later
			chosen, err = listenable(loopback(0))
		}
		if err != nil {
			return fmt.Errorf("finding a free port: %w", err)
		}
		*addr = chosen
	}
	return nil
}

// listenable checks that a process can listen on an address. It returns the address; if its
// port is 0, with the port that the system chose.
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

	echo, err := wire.NewEcho(cfg.echo)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, echo.Close()) }()
	page := playground.New(playground.Config{
		Gateway: "http://" + cfg.gateway, Management: "http://" + cfg.management, Admin: adminSocket(dir), Caddyfile: cfg.caddyfile(),
		WeChat:   "http://" + cfg.simulator,
		Apps:     []playground.App{{ID: wechatsim.DefaultApp.ID}, {ID: secondApp.ID, Suffix: "-2"}},
		WebApps:  []playground.App{{ID: officialApp.ID, Suffix: "-official"}, {ID: websiteApp.ID, Suffix: "-website"}},
		Attacked: "http://" + cfg.attacked, Echo: echo, Service: cfg.own.URL(),
	})
	sim, err := startDevSimulator(ctx, cfg, page)
	if err != nil {
		return fmt.Errorf("starting the simulator: %w", err)
	}
	defer func() { err = errors.Join(err, sim.Close()) }()

	stopUpstream, err := serveDev(cfg.upstream, page.Observe(playground.Upstream, cfg.behind()))
	if err != nil {
		return fmt.Errorf("starting the upstream: %w", err)
	}
	defer stopUpstream()
	if err := loadDevGateway(dir, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, caddy.Stop()) }()
	stopPage, err := serveDev(cfg.playground, page.Handler())
	if err != nil {
		return fmt.Errorf("starting the playground: %w", err)
	}
	defer stopPage()
	defer page.Close() // before stopPage, which waits for open pages and streams

	walk := demo.Walkthrough{Playground: cfg.playground, Gateway: cfg.gateway, Simulator: cfg.simulator, Management: cfg.management, Upstream: cfg.upstream, Chinese: demo.IsChinese(os.Getenv)}
	if cfg.own != nil {
		walk.Upstream, walk.Own, walk.Down = cfg.own.Address, true, !cfg.own.Reachable(ctx)
	}
	if err := waitReady(ctx, "http://"+cfg.gateway); err != nil {
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

// behind returns what is behind the gateway: the user's service, or the demo.
func (c *devConfig) behind() http.Handler {
	if c.own != nil {
		return c.own.Handler()
	}
	return service.Streams(http.HandlerFunc(demo.Upstream))
}

// startDevSimulator starts a simulator with the users of the page.
func startDevSimulator(ctx context.Context, cfg devConfig, page *playground.Playground) (*simserver.Server, error) {
	sim, err := simserver.Start(ctx, wechatsim.Config{
		Apps:    slices.Concat([]wechatsim.App{wechatsim.DefaultApp, secondApp}, wechatsim.Siblings(), wechatsim.WebApps()),
		APIAddr: cfg.simulator, ManagementAddr: cfg.management,
		Observe: func(api http.Handler) http.Handler { return page.Observe(playground.WeChat, api) },
	})
	if err != nil {
		return nil, err
	}
	for _, user := range page.Users() {
		err := sim.Sim.AddUser(wechatsim.User{App: user.App, OpenID: user.OpenID, Name: user.Name}, wechatsim.Details{UnionID: user.UnionID})
		if err != nil {
			return nil, errors.Join(err, sim.Close())
		}
	}
	return sim, nil
}

// secondApp is the second mini program of the playground's phone.
var secondApp = wechatsim.App{ID: "wx0000000000000002", Secret: "00000000000000000000000000000002"}

// The official account and the website that browsers of the gateway log in with.
var officialApp, websiteApp = wechatsim.WebApps()[0], wechatsim.WebApps()[1]

// adminSocket is where the admin API listens: no web page reaches a Unix socket.
func adminSocket(dir string) string { return filepath.Join(dir, "admin.sock") }

// serveDev serves a handler at an address, and returns the function that stops it.
func serveDev(addr string, handler http.Handler) (func(), error) {
	listener, err := net.Listen("tcp", addr) //nolint:noctx // a loopback listener opens at once or not at all
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: devShutdownTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with ErrServerClosed
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), devShutdownTimeout)
		defer cancel()
		_ = server.Shutdown(ctx) // the process ends next
		<-done
	}, nil
}

// caddyfile is Caddyfile.dev with one more site, for attacks.
func (c *devConfig) caddyfile() string {
	site := playground.AttackSite(portOf(c.attacked), wechatsim.DefaultApp.ID, c.echo)
	return string(caddyfile.Format([]byte(string(demo.DevCaddyfile) + site)))
}

// portOf returns the port of an address.
func portOf(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

// loadDevGateway runs Caddyfile.dev with its variables pointing at the simulator and its
// data in dir.
func loadDevGateway(dir string, cfg devConfig) error {
	for name, value := range map[string]string{
		"WX_APPID":           wechatsim.DefaultApp.ID,
		"WX_SECRET":          wechatsim.DefaultApp.Secret,
		"WX_APPID_2":         secondApp.ID,
		"WX_SECRET_2":        secondApp.Secret,
		"WX_APPID_OFFICIAL":  officialApp.ID,
		"WX_SECRET_OFFICIAL": officialApp.Secret,
		"WX_APPID_WEBSITE":   websiteApp.ID,
		"WX_SECRET_WEBSITE":  websiteApp.Secret,
		"WX_API":             "http://" + cfg.simulator,
		"PORT":               portOf(cfg.gateway),
		"UPSTREAM":           cfg.upstream,
		"WXGATE_ADMIN":       adminSocket(dir),
		"XDG_DATA_HOME":      dir, // the session store
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	caddy.DefaultStorage = &certmagic.FileStorage{Path: filepath.Join(dir, "caddy")} // the keys
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(cfg.caddyfile()), map[string]any{"filename": "Caddyfile.dev"})
	if err != nil {
		return fmt.Errorf("adapting Caddyfile.dev: %w", err)
	}
	if len(warnings) > 0 {
		return fmt.Errorf("adapting Caddyfile.dev: %v", warnings)
	}
	if err := caddy.Load(config, true); err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	return nil
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
			_ = response.Body.Close() // only the status is needed
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
