package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simproxy"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/standalone"
)

// simSpec is the command `wxgate sim`.
var simSpec = caddycmd.Command{
	Name:  "sim",
	Usage: "[--config <file>] [--api <address>] [--management <address>] [--proxy <address> --ca <file>]",
	Short: "Runs the simulator of WeChat alone, for any SDK",
	Long: `
Starts a simulator of WeChat's API, and of QQ's, Douyin's, Kuaishou's, Xiaohongshu's
and WeCom's, with several apps and users, and runs it until Ctrl-C. It needs no WeChat
account and no network, and keeps nothing.

A page at the management address has its controls: it makes login and phone codes,
arms faults, moves the clock, and shows the requests that the API received. GET / there
with curl lists the same as calls.

--config names a JSON file with the apps, the third-party platforms and the users; see
docs/sim.md.

An SDK whose URLs cannot be changed calls the API by way of --proxy: as its HTTP proxy
(HTTPS_PROXY), or in place of https://api.weixin.qq.com if its host name is resolved to
that address. The certificate is signed by a CA that is made at each start; the SDK must
trust the file of --ca. Only the hosts of WeChat and its siblings are simulated, and
nothing is forwarded to any other host.

The API and the proxy may listen on an address that other machines reach. The
management address must be a loopback address, because a client of it can log in as
any user.`,
	CobraFunc: func(cmd *cobra.Command) {
		file := cmd.Flags().StringP("config", "c", "", "JSON file with apps and users; default: two mini programs, an official account, a website, one app on each other platform, and three users")
		api := cmd.Flags().String("api", "127.0.0.1:9911", "Address of the API")
		management := cmd.Flags().String("management", "127.0.0.1:9912", "Loopback address of the controls")
		proxy := cmd.Flags().String("proxy", "", "Address of a proxy for SDKs whose URLs cannot be changed; default: none. Requires --ca")
		ca := cmd.Flags().String("ca", "", "File that the certificate of the proxy's CA is written to, in PEM")
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			if (*proxy == "") != (*ca == "") {
				return usage.Errorf("--proxy and --ca require each other: set both, such as --proxy 127.0.0.1:9913 --ca sim-ca.pem")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return simRun{file: *file, api: *api, management: *management, proxy: *proxy, ca: *ca, out: cmd.OutOrStdout()}.run(ctx)
		}
	},
}

// A simRun is what `wxgate sim` was started with.
type simRun struct {
	file                       string
	api, management, proxy, ca string
	out                        io.Writer
}

// run serves the simulator until ctx ends.
func (s simRun) run(ctx context.Context) (err error) {
	setup := standalone.Default()
	if s.file != "" {
		if setup, err = standalone.Load(s.file); err != nil {
			return err
		}
	}
	sim, err := setup.New()
	if err != nil {
		return err
	}
	notices := standalone.NewNotices(s.out)
	server, err := simserver.Serve(ctx, sim, wechatsim.Config{
		APIAddr: s.api, ManagementAddr: s.management, Observe: notices.Unknown,
	})
	if err != nil {
		return explainListen(err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	intro := standalone.Intro{API: server.URL, Controls: server.ManagementURL, Public: server.Public, Setup: setup}
	if s.proxy != "" {
		proxy, err := simproxy.Serve(ctx, simproxy.Config{Addr: s.proxy, CAFile: s.ca, API: notices.Unknown(sim.API()), Notice: notices.Print})
		if err != nil {
			return explainListen(err)
		}
		defer func() {
			sim.Close() // ends responses that a fault delays
			err = errors.Join(err, proxy.Close())
		}()
		intro.Proxy, intro.CA, intro.Public = proxy.URL, s.ca, server.Public || proxy.Public
	}
	if err := intro.Print(s.out); err != nil {
		return fmt.Errorf("printing the addresses: %w", err)
	}
	<-ctx.Done()
	return nil
}

// explainListen names the flag to change after an address could not be listened on.
func explainListen(err error) error {
	switch {
	case errors.Is(err, simserver.ErrNotLoopback):
		return usage.Errorf("--management: %w; a client of it can log in as any user", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the port is in use; choose another with --api, --management or --proxy: %w", err)
	case errors.As(err, new(*net.AddrError)):
		return usage.Errorf("%w; an address is a host and a port, such as 127.0.0.1:9911", err)
	default:
		return err
	}
}
