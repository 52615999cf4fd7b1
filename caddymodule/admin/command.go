package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// Commands operate a running gateway over its admin API.
var Commands = []caddycmd.Command{
	{
		Name:      "keys",
		Usage:     "list|rotate|retire",
		Short:     "Lists, rotates and retires the signing keys of a running wxgate",
		CobraFunc: keysCommand,
	},
	{
		Name:      "user",
		Usage:     "logout --app <appid> --openid <openid>",
		Short:     "Ends every session of a user of a running wxgate",
		CobraFunc: userCommand,
	},
	{
		Name:      "session-key",
		Usage:     "check|reset --app <appid> --openid <openid>",
		Short:     "Checks or replaces WeChat's session_key of a user",
		CobraFunc: sessionKeyCommand,
	},
}

// maxResponseBytes bounds what a command reads: a ring of keys is far smaller.
const maxResponseBytes = 1 << 20

// adminTarget is where the running process listens, as for `wxgate reload`.
type adminTarget struct {
	address, config, adapter string
}

// bind adds the flags that find the running process to a command.
func (a *adminTarget) bind(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&a.address, "address", "", "Address of the admin API, such as unix//run/wxgate.sock")
	cmd.PersistentFlags().StringVarP(&a.config, "config", "c", "", "Configuration file that names the address of the admin API")
	cmd.PersistentFlags().StringVarP(&a.adapter, "adapter", "a", "", "Adapter of the configuration file")
}

// call calls the running process and returns its response.
func (a *adminTarget) call(method, path string, in *adminRequest) ([]byte, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(a.address, nil, a.config, a.adapter)
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	response, err := caddycmd.AdminAPIRequest(address, method, path, make(http.Header), body)
	if err != nil && method == http.MethodGet && strings.HasSuffix(err.Error(), "EOF") {
		// A reload replaces the admin server. The old one closes connections that it has
		// just accepted.
		response, err = caddycmd.AdminAPIRequest(address, method, path, make(http.Header), body)
	}
	if err != nil {
		return nil, explainCall(err, address)
	}
	defer func() { _ = response.Body.Close() }() // the body was read or is not wanted
	return io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
}

// explainCall distinguishes a request without a response from one that wxgate refused.
// Caddy's errors wrap nothing, so only their texts show which it is.
func explainCall(err error, address string) error {
	if cause, ok := strings.CutPrefix(err.Error(), "performing request: "); ok {
		return fmt.Errorf("no response from the admin API at %s: %s; check that wxgate is running, and set its admin address with --address or --config", address, cause)
	}
	answer, ok := strings.CutPrefix(err.Error(), "caddy responded with error: HTTP ")
	if !ok {
		return err
	}
	var problem struct {
		Error string `json:"error"`
	}
	status, body, _ := strings.Cut(answer, ": ")
	if json.Unmarshal([]byte(body), &problem) != nil || problem.Error == "" {
		return fmt.Errorf("the admin API at %s responded with HTTP %s", address, answer)
	}
	return fmt.Errorf("%s (HTTP %s)", problem.Error, status)
}

func keysCommand(cmd *cobra.Command) {
	var target adminTarget
	var immediate bool
	target.bind(cmd)
	RequireSubcommand(cmd)
	run := func(use, short, method, path string, args cobra.PositionalArgs) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			in := &adminRequest{Immediate: immediate}
			if len(args) > 0 {
				in.Key = auth.KeyID(args[0])
			}
			if method == http.MethodGet {
				in = nil
			}
			answer, err := target.call(method, path, in)
			if err != nil {
				return err
			}
			var keys []keyResponse
			if err := json.Unmarshal(answer, &keys); err != nil {
				return fmt.Errorf("reading the response: %w", err)
			}
			return errors.Join(printDone(cmd.OutOrStdout(), path, in, keys), printKeys(cmd.OutOrStdout(), keys))
		}}
	}
	rotate := run("rotate", "Creates the next key, which signs after it was published long enough", http.MethodPost, pathRotate, cobra.NoArgs)
	rotate.Flags().BoolVar(&immediate, "immediate", false, "Sign with the key at once; verifiers that cached the key set refuse its tokens until they fetch it again")
	retire := run("retire <id>", "Refuses all tokens of a key, such as one that leaked", http.MethodPost, pathRetire, exactlyOneKey)
	retire.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w; %w", err, errKeyArgument)
	})
	cmd.AddCommand(
		run("list", "Lists the keys, oldest first", http.MethodGet, "/wxgate/keys", cobra.NoArgs),
		rotate,
		retire,
	)
}

// errKeyArgument is for an ID that was parsed as a flag: of 64 IDs, one begins with a
// hyphen.
var errKeyArgument = errors.New("expected one key ID; if it begins with a hyphen, write: wxgate keys retire -- <id>")

func exactlyOneKey(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errKeyArgument
	}
	return nil
}

// printDone prints what a rotation or a retirement did.
func printDone(out io.Writer, path string, in *adminRequest, keys []keyResponse) (err error) {
	switch path {
	case pathRotate:
		_, err = fmt.Fprintln(out, rotateReport(keys))
	case pathRetire:
		_, err = fmt.Fprintf(out, "key %s is retired: its tokens are refused\n", in.Key)
	}
	return err
}

// rotateReport describes the result of a rotation. While a new key waits to sign, a
// rotation creates no other one.
func rotateReport(keys []keyResponse) string {
	verb := "exists already and"
	for _, key := range keys {
		if key.New {
			verb = "was made and"
		}
	}
	for _, key := range keys {
		if key.State == keyring.KeyNext {
			wait := time.Until(key.SignsFrom).Round(time.Second)
			return fmt.Sprintf("the next key %s %s signs from %s, in %s; --immediate has it sign at once",
				key.ID, verb, key.SignsFrom.Format(time.RFC3339), max(wait, 0))
		}
	}
	for _, key := range keys {
		if key.State == keyring.KeySigning {
			return fmt.Sprintf("key %s %s signs from now on", key.ID, verb)
		}
	}
	return "no key signs"
}

func printKeys(out io.Writer, keys []keyResponse) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tALG\tSTATE\tSIGNS FROM\tVERIFIES UNTIL\tISSUER")
	for _, key := range keys {
		until := "-"
		if !key.VerifyUntil.IsZero() {
			until = key.VerifyUntil.Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", key.ID, key.Alg, key.State, key.SignsFrom.Format(time.RFC3339), until, key.Issuer)
	}
	return table.Flush()
}

func userCommand(cmd *cobra.Command) {
	var target adminTarget
	target.bind(cmd)
	RequireSubcommand(cmd)
	cmd.AddCommand(userCall(&target, "logout", "Ends every session of the user", "/wxgate/user/logout"))
}

func sessionKeyCommand(cmd *cobra.Command) {
	var target adminTarget
	target.bind(cmd)
	RequireSubcommand(cmd)
	cmd.AddCommand(
		userCall(&target, "check", "Checks the session_key with WeChat and deletes it if it is no longer valid", "/wxgate/session-key/check"),
		userCall(&target, "reset", "Replaces the session_key", "/wxgate/session-key/reset"),
	)
}

// userCall is a command about one user.
func userCall(target *adminTarget, use, short, path string) *cobra.Command {
	var app, openid string
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if app == "" || openid == "" {
			return errors.New("--app <appid> and --openid <openid> are required")
		}
		answer, err := target.call(http.MethodPost, path, &adminRequest{App: auth.AppID(app), OpenID: auth.OpenID(openid)})
		if err != nil {
			return err
		}
		var done doneResponse
		if err := json.Unmarshal(answer, &done); err != nil {
			return fmt.Errorf("reading the response: %w", err)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(done.Done))
		return err
	}}
	cmd.Flags().StringVar(&app, "app", "", "The mini program's appid")
	cmd.Flags().StringVar(&openid, "openid", "", "The user's openid")
	return cmd
}
