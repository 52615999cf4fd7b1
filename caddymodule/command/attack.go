package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

// attackSpec is the command `wxgate attack`.
var attackSpec = caddycmd.Command{
	Name:      "attack",
	Usage:     "<url> [--token <token> | --code-url <url> | --code <code>] [--cookie <name=value>]",
	Short:     "Tests a gateway against known attacks",
	Long:      attackHelp,
	CobraFunc: attackCommand,
}

const attackHelp = `
Sends a corpus of attacks, each from a public advisory or a specification, to
the gateway at <url>, any gateway, over HTTP/1.1, HTTP/2 and HTTP/3. It starts an
echo upstream at --upstream, to which the gateway must proxy, and judges by what
reaches it. Benign control requests show that what is attacked works at all.

It exits with an error when an attack succeeds, or when a control fails, so that
there is no verdict. docs/attacks.md lists the mechanisms and shows how to point
it at another gateway. The routes that it needs, as a Caddyfile:
` + corpus.Caddyfile + `
Attack only what is yours: without --i-own-this-gateway, only loopback is.`

// attackFlags are the flags of the command.
type attackFlags struct {
	target              corpus.Target
	upstream            string
	protocols           []string
	mechanisms          []string
	signingKey          string
	jsonFile, junitFile string
}

func attackCommand(cmd *cobra.Command) {
	f := &attackFlags{}
	f.bind(cmd)
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if f.target.URL = args[0]; strings.HasPrefix(args[0], "http://") && !cmd.Flags().Changed("protocols") {
			f.protocols = []string{string(wire.H1)} // the others need TLS
		}
		return f.run(ctx, cmd.OutOrStdout())
	}
}

func (f *attackFlags) bind(cmd *cobra.Command) {
	flags, t := cmd.Flags(), &f.target
	var defaults corpus.Target
	defaults.Defaults()
	flags.StringVar(&f.upstream, "upstream", "127.0.0.1:9000", "Address of the echo upstream, to which the gateway must proxy")
	flags.StringVar(&t.Token, "token", "", "Access token of the attack user, who has neither unionid nor phone number")
	flags.StringVar(&t.CodeURL, "code-url", "", "URL that returns a new login code, such as the simulator's http://127.0.0.1:9902/code?openid=mallory")
	flags.StringVar(&t.Code, "code", "", "Login code to exchange for the token")
	flags.StringVar(&t.Cookie, "cookie", "", "Session cookie of the attack user's browser, as name=value: honest requests have it in place of the token, and browser sessions are attacked too")
	flags.StringVar(&t.Origin, "origin", "", "Origin of the site's pages, which requests with the cookie have (default the URL of the gateway)")
	flags.StringSliceVar(&f.protocols, "protocols", []string{"h1", "h2", "h3"}, "HTTP versions to attack over")
	flags.StringSliceVar(&f.mechanisms, "mechanisms", nil, "Only these mechanisms, such as identity,removal")
	flags.BoolVar(&t.Insecure, "insecure", false, "Do not verify the gateway's certificate")
	flags.BoolVar(&t.Own, "i-own-this-gateway", false, "Attack a gateway that is not on loopback")
	flags.StringVar(&f.signingKey, "signing-key", "", "PEM file with the gateway's signing key, to test tokens with valid signatures and wrong claims")
	flags.StringVar(&f.jsonFile, "json", "", "Write the findings to this file as JSON")
	flags.StringVar(&f.junitFile, "junit", "", "Write the findings to this file as JUnit XML")
	for _, name := range []struct {
		into               *string
		flag, usage, value string
	}{
		{&t.Identity, "identity-header", "Header with the caller's identity", defaults.Identity},
		{&t.Absent, "absent-header", "Header for a claim that the attack user lacks", defaults.Absent},
		{&t.Reserved, "reserved-prefix", "Prefix of the header names that are reserved for the gateway", defaults.Reserved},
		{&t.Guarded, "guarded", "Path prefix that requires a token", defaults.Guarded},
		{&t.Public, "public", "Path prefix without authentication", defaults.Public},
		{&t.Optional, "optional", "Path prefix with optional authentication", defaults.Optional},
		{&t.Phone, "phone", "Path prefix that requires more than the attack user has", defaults.Phone},
		{&t.Broken, "broken", "Path prefix where the proxy fails and an error route calls the echo upstream", defaults.Broken},
		{&t.Login, "login", "Path of the login call", defaults.Login},
		{&t.Refresh, "refresh", "Path of the refresh call", defaults.Refresh},
		{&t.Decode, "decode", "Path of the decode call", defaults.Decode},
		{&t.KeySet, "jwks", "Path of the public keys", defaults.KeySet},
		{&t.Browsers, "browsers", "Path below which the calls of browsers are", defaults.Browsers},
	} {
		flags.StringVar(name.into, name.flag, name.value, name.usage)
	}
}

// errAttacked makes the command exit with an error.
var errAttacked = errors.New("attacks succeeded or were inconclusive")

func (f *attackFlags) run(ctx context.Context, out io.Writer) (err error) {
	cfg := attack.Config{Target: f.target}
	if cfg.Protocols, err = attack.ParseProtocols(f.protocols); err != nil {
		return err
	}
	if cfg.Only, err = attack.OfMechanisms(&f.target, f.mechanisms); err != nil {
		return err
	}
	if err := attack.CheckCredential(&f.target); err != nil {
		return err
	}
	if f.signingKey != "" {
		text, err := os.ReadFile(f.signingKey)
		if err != nil {
			return fmt.Errorf("reading the signing key: %w", err)
		}
		if cfg.Target.Signer, err = corpus.ParseSigner(text); err != nil {
			return err
		}
	}
	if cfg.Echo, err = wire.NewEcho(f.upstream); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cfg.Echo.Close()) }()
	findings, err := attack.Run(ctx, cfg)
	// Report the findings of an interrupted run too.
	if err := errors.Join(err, f.report(out, findings)); err != nil {
		return err
	}
	return judged(findings)
}

// judged returns an error if an attack succeeded or was inconclusive, or if the gateway
// blocked none.
func judged(findings []attack.Finding) error {
	blocked := false
	for i := range findings {
		if findings[i].Failed() {
			return errAttacked
		}
		blocked = blocked || findings[i].Verdict == attack.Blocked
	}
	if !blocked {
		return errors.New("no attack was applicable")
	}
	return nil
}

func (f *attackFlags) report(out io.Writer, findings []attack.Finding) error {
	if len(findings) == 0 {
		return errors.New("no attack was sent")
	}
	errs := []error{attack.WriteTable(out, findings)}
	for _, report := range []struct {
		file  string
		write func(io.Writer, []attack.Finding) error
	}{{f.jsonFile, attack.WriteJSON}, {f.junitFile, attack.WriteJUnit}} {
		if report.file == "" {
			continue
		}
		var text strings.Builder
		if err := report.write(&text, findings); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := os.WriteFile(report.file, []byte(text.String()), 0o600); err != nil {
			errs = append(errs, fmt.Errorf("writing a report: %w", err))
		}
	}
	return errors.Join(errs...)
}
