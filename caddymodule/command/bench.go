package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/bench"
	"github.com/wxgate/wxgate/internal/bench/load"
	"github.com/wxgate/wxgate/internal/bench/report"
)

// benchSpec is the command `wxgate bench`.
var benchSpec = caddycmd.Command{
	Name:      "bench",
	Usage:     "[--scenario <name>] [--caddy <path>] [--peer <name>=<url>]",
	Short:     "Measures what wxgate costs on this machine",
	Long:      benchHelp(),
	CobraFunc: benchCommand,
}

func benchHelp() string {
	var b strings.Builder
	b.WriteString(`
Measures what wxgate costs, against the same binary without wxgate and against other
servers. It needs no WeChat account and no network: it starts an upstream, the WeChat
simulator and each server on loopback, and stops them and deletes their files at the end.

Each round loads one server after the other, in changing order, and reads its CPU time
and memory from the operating system. Ratios are of two servers within one round. Every
response is checked: it must be from the upstream, which must have received the right
openid. The machine should do nothing else in the meantime.

Scenarios:
`)
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(&b, "  %-12s %s\n", s.Name, s.Short)
	}
	b.WriteString(`
docs/performance.md explains the result and has examples. The exit code is 1 if something
could not be measured, and 2 if the arguments are wrong.`)
	return b.String()
}

// benchFlags are the flags of the command.
type benchFlags struct {
	config                     bench.Config
	jsonFile, csvFile, svgFile string
	serveUpstream              string // hidden: serve as the upstream of another `wxgate bench`
}

func benchCommand(cmd *cobra.Command) {
	f := &benchFlags{}
	f.bind(cmd)
	cmd.SilenceUsage = true
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if f.serveUpstream != "" {
			return load.RunUpstream(ctx, f.serveUpstream, os.Stdin)
		}
		err := f.run(ctx, cmd)
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted; everything was stopped")
		case errors.Is(err, bench.ErrUsage):
			return usage.Wrap(err)
		}
		return err
	}
}

func (f *benchFlags) bind(cmd *cobra.Command) {
	flags, c := cmd.Flags(), &f.config
	flags.StringVar(&c.Scenario, "scenario", bench.ScenarioNames()[0], "What to measure")
	flags.IntVar(&c.Rounds, "rounds", 0, "Rounds (default 15)")
	flags.DurationVar(&c.Duration, "duration", 0, "Measured time of each round and server (default: the scenario's)")
	flags.DurationVar(&c.Warmup, "warmup", 0, "Time before that, which is not measured (default 300ms)")
	flags.IntVar(&c.Connections, "connections", 0, "Concurrent connections (default 64)")
	flags.IntVar(&c.Tokens, "tokens", 0, "Access tokens that requests use in turn (default: the scenario's)")
	flags.Float64Var(&c.Rate, "rate", 0, "Requests or logins per second (default: as many as possible)")
	flags.IntVar(&c.Sessions, "sessions", 0, "Measure one more gateway, with this many sessions in its store")
	flags.IntVar(&c.Revocations, "revocations", 0, "Revocations in the same store")
	flags.StringArrayVar(&c.Peers, "peer", nil, "Measure a server that runs, as name=url; it must proxy to --upstream")
	flags.StringVar(&c.Caddy, "caddy", "", "Measure this executable of a stock Caddy too")
	flags.StringVar(&c.Upstream, "upstream", "", "Address of the upstream (default: a free port on 127.0.0.1)")
	flags.StringVar(&c.Baseline, "baseline", "", "Server to which ratios refer (default: the scenario's)")
	flags.StringVar(&c.Dir, "dir", "", "Directory for session stores; it should be on a disk (default: that for temporary files)")
	flags.StringVar(&f.jsonFile, "json", "", "Write all rounds and medians to this file as JSON")
	flags.StringVar(&f.csvFile, "csv", "", "Write all rounds to this file as CSV")
	flags.StringVar(&f.svgFile, "svg", "", "Write a plot to this file")
	flags.StringVar(&f.serveUpstream, "serve-upstream", "", "")
	_ = flags.MarkHidden("serve-upstream") // the flag exists
}

// run measures, and writes the table and the reports.
func (f *benchFlags) run(ctx context.Context, cmd *cobra.Command) (err error) {
	outputs, err := f.create()
	defer func() {
		for _, o := range outputs {
			err = errors.Join(err, o.file.Close())
		}
	}()
	if err != nil {
		return err
	}
	run, err := f.measure(ctx, cmd)
	if err != nil {
		return err
	}
	errs := []error{run.WriteTable(cmd.OutOrStdout())}
	for _, o := range outputs {
		errs = append(errs, o.write(run, o.file))
	}
	return errors.Join(errs...)
}

// output is a report that a flag asks for.
type output struct {
	path  string
	write func(*report.Run, io.Writer) error
	file  *os.File
}

// create creates the files of the reports before the measurement, which takes minutes: a path
// that cannot be written is reported at once.
func (f *benchFlags) create() ([]output, error) {
	var outputs []output
	for _, o := range []output{
		{path: f.jsonFile, write: (*report.Run).WriteJSON},
		{path: f.csvFile, write: (*report.Run).WriteCSV},
		{path: f.svgFile, write: (*report.Run).WriteSVG},
	} {
		if o.path == "" {
			continue
		}
		var err error
		if o.file, err = os.Create(o.path); err != nil {
			return outputs, fmt.Errorf("%w: creating a report: %w", bench.ErrUsage, err)
		}
		outputs = append(outputs, o)
	}
	return outputs, nil
}

func (f *benchFlags) measure(ctx context.Context, cmd *cobra.Command) (*report.Run, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the executable of wxgate, which is started again for each server: %w", err)
	}
	f.config.Executable = executable
	path := strings.Fields(cmd.CommandPath())[1:] // "bench", or "wxgate bench" in another Caddy
	f.config.Self = func(address string) []string {
		return append(slices.Clone(path), "--serve-upstream", address)
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		f.config.Progress = func(done, all int, doing string) { showProgress(cmd.ErrOrStderr(), done, all, doing) }
		defer showProgress(cmd.ErrOrStderr(), 0, 0, "")
	}
	return bench.Run(ctx, f.config)
}

// showProgress replaces the last line of a terminal.
func showProgress(out io.Writer, done, all int, doing string) {
	const eraseLine = "\r\x1b[K"
	if all > 0 {
		const percent = 100
		doing = fmt.Sprintf("%3d %%  %s", percent*done/all, doing)
	}
	_, _ = fmt.Fprint(out, eraseLine+doing)
}
