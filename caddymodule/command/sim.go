package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/standalone"
)

// simSpec is `wxgate sim`.
var simSpec = caddycmd.Command{
	Name:  "sim",
	Usage: "[--config <file>] [--api <address>] [--management <address>]",
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

The API may listen on an address that other machines reach, over plain HTTP. The
management address must be a loopback address, because a client of it can log in as
any user.`,
	CobraFunc: func(cmd *cobra.Command) {
		file := cmd.Flags().StringP("config", "c", "", "JSON file with apps and users; default: two mini programs, an official account, a website, one app on each other platform, and three users")
		api := cmd.Flags().String("api", "127.0.0.1:9911", "Address of the API")
		management := cmd.Flags().String("management", "127.0.0.1:9912", "Loopback address of the controls")
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runSim(ctx, *file, *api, *management, cmd.OutOrStdout())
		}
	},
}

// runSim serves the simulator until ctx ends.
func runSim(ctx context.Context, file, api, management string, out io.Writer) (err error) {
	setup := standalone.Default()
	if file != "" {
		if setup, err = standalone.Load(file); err != nil {
			return err
		}
	}
	sim, err := setup.New()
	if err != nil {
		return err
	}
	server, err := simserver.Serve(ctx, sim, wechatsim.Config{APIAddr: api, ManagementAddr: management})
	switch {
	case errors.Is(err, simserver.ErrNotLoopback):
		return usage.Errorf("--management: %w; a client of it can log in as any user", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the port is in use; choose another with --api or --management: %w", err)
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	intro := standalone.Intro{API: server.URL, Controls: server.ManagementURL, Public: server.Public, Setup: setup}
	if err := intro.Print(out); err != nil {
		return fmt.Errorf("printing the addresses: %w", err)
	}
	<-ctx.Done()
	return nil
}
