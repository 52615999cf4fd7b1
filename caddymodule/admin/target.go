package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/configfile"
	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
)

// maxResponseBytes bounds what a command reads: the largest response is everything that is
// stored about one user.
const maxResponseBytes = 16 << 20

// target has the flags that find the running process, as those of `wxgate reload` do, and
// the flag that selects how a command prints the response.
type target struct {
	address, config, adapter string
	json                     bool
}

// group makes cmd a command that only groups subcommands, and adds the flags that they share.
func group(cmd *cobra.Command) *target {
	t := new(target)
	t.bind(cmd)
	usage.RequireSubcommand(cmd)
	return t
}

// bind adds the flags to a command and its subcommands.
func (t *target) bind(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&t.address, "address", "", "Address of the admin API, such as unix//run/wxgate.sock")
	flags.StringVarP(&t.config, "config", "c", "", "Configuration file that names the address of the admin API; default the Caddyfile of this folder")
	flags.StringVarP(&t.adapter, "adapter", "a", "", "Adapter of the configuration file")
	flags.BoolVar(&t.json, "json", false, "Print the response of the admin API as JSON")
}

// run makes a call and prints its response: as JSON with --json, else with text.
func run[In, Out any](cmd *cobra.Command, t *target, c adminapi.Call[In, Out], in In, text func(io.Writer, Out) error) error {
	response, err := t.send(c.Method, c.Path, in)
	if err != nil {
		return err
	}
	var out Out
	if err := json.Unmarshal(response, &out); err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	return show(cmd, t, response, out, text)
}

// show prints a response: as JSON with --json, else with text.
func show[Out any](cmd *cobra.Command, t *target, response []byte, out Out, text func(io.Writer, Out) error) error {
	if t.json {
		return printJSON(cmd.OutOrStdout(), response)
	}
	return text(cmd.OutOrStdout(), out)
}

// runDone is [run] for a call whose response only describes what was done.
func runDone[In any](cmd *cobra.Command, t *target, c adminapi.Call[In, adminapi.Done], in In) error {
	return run(cmd, t, c, in, func(out io.Writer, done adminapi.Done) error {
		_, err := fmt.Fprintln(out, done.Done)
		return err
	})
}

func printJSON(out io.Writer, response []byte) error {
	value := jsontext.Value(response)
	if err := value.Indent(); err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	_, err := fmt.Fprintln(out, value)
	return err
}

// send calls the running process and returns its response.
func (t *target) send(method, path string, in any) ([]byte, error) {
	address, err := configfile.FindAdmin(t.address, t.config, t.adapter)
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	var body io.Reader
	if method != http.MethodGet {
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
	defer func() { _ = response.Body.Close() }() // the body was read, or reading it failed
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	if len(text) > maxResponseBytes {
		return nil, fmt.Errorf("reading the response: more than %d MiB", maxResponseBytes>>20)
	}
	return text, nil
}

// errNoResponse means that no process received the call.
var errNoResponse = errors.New("no response from the admin API")

// explainCall distinguishes a request without a response from one that wxgate refused.
// Caddy's errors wrap nothing, so only their texts tell the two apart.
func explainCall(err error, address string) error {
	if cause, ok := strings.CutPrefix(err.Error(), "performing request: "); ok {
		return fmt.Errorf("%w at %s: %s; check that wxgate is running, and set its admin address with --address or --config", errNoResponse, address, cause)
	}
	refused, ok := strings.CutPrefix(err.Error(), "caddy responded with error: HTTP ")
	if !ok {
		return err
	}
	var problem struct {
		Error string `json:"error"`
	}
	status, body, _ := strings.Cut(refused, ": ")
	if json.Unmarshal([]byte(body), &problem) != nil || problem.Error == "" {
		return fmt.Errorf("the admin API at %s responded with HTTP %s", address, refused)
	}
	return fmt.Errorf("%s (HTTP %s)", problem.Error, status)
}
