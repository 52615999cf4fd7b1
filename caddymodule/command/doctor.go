package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/configfile"
	"github.com/wxgate/wxgate/caddymodule/offline"
	"github.com/wxgate/wxgate/internal/doctor"
)

// doctorSpec is the command `wxgate doctor`.
var doctorSpec = caddycmd.Command{
	Name:  "doctor",
	Usage: "[--config <file>] [--json]",
	Short: "Checks the configuration, this machine, the store and WeChat",
	Long: `
Checks what stops a gateway from working, or makes it unsafe: the configuration, the
clock, Caddy's storage, the store, WeChat's API with the AppSecret and the IP allow-list,
the addresses of local upstreams and of the admin API, the version of the running gateway,
literal secrets and file modes.
Each check prints one line, with what to do if it is not ok.

It may run beside a gateway: it opens no store and changes nothing. Run it as the gateway's
user, with the gateway's environment. The exit code is 1 if a check failed.`,
	CobraFunc: func(cmd *cobra.Command) {
		run := new(examination)
		cmd.Flags().StringVarP(&run.file, "config", "c", "", "Configuration file of the gateway")
		cmd.Flags().StringVarP(&run.adapter, "adapter", "a", "", "Adapter of the configuration file")
		cmd.Flags().BoolVar(&run.json, "json", false, "Print the findings as JSON")
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			run.out = cmd.OutOrStdout()
			return run.all(ctx)
		}
	},
}

// examination is one run of `wxgate doctor`.
type examination struct {
	file, adapter string
	json          bool
	out           io.Writer
	findings      []doctor.Finding
}

// all runs every check. If the configuration does not load, the checks that need it are left out.
func (e *examination) all(ctx context.Context) error {
	file, err := configfile.Find(e.file)
	var text []byte
	if err == nil {
		text, err = configfile.Read(file, e.adapter)
	}
	if err == nil {
		err = validate(text)
	}
	e.report(doctor.Configuration(file, err))
	if err == nil {
		if err := e.examine(ctx, file, text); err != nil {
			return err
		}
	}
	return e.finish()
}

func (e *examination) examine(ctx context.Context, file string, text []byte) error {
	examined, err := offline.Examine(text)
	if err != nil {
		return err
	}
	defer examined.Close()
	var config caddy.Config
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	listen := adminListen(config.Admin)
	e.report(doctor.AdminAddress(listen))
	e.report(versions(ctx, listen))
	e.report(doctor.Secrets(examined.Literal)...)
	e.report(doctor.ConfigFile(file))
	for _, path := range examined.Files {
		e.report(doctor.SecretFile(path))
	}
	for _, path := range examined.Named {
		e.report(doctor.NamedFile(path))
	}
	e.state(ctx, examined)
	e.platforms(ctx, examined)
	e.upstreams(text)
	return nil
}

func adminListen(admin *caddy.AdminConfig) string {
	switch {
	case admin == nil:
		return ""
	case admin.Disabled:
		return doctor.AdminOff
	}
	return admin.Listen
}

// state checks Caddy's storage and the store.
func (e *examination) state(ctx context.Context, examined *offline.Examined) {
	if examined.Storage == "" {
		e.report(doctor.Finding{Check: doctor.CheckStorage, Status: doctor.NotChecked, Detail: "Caddy's storage is not a folder"})
	} else {
		e.report(doctor.Folder(doctor.CheckStorage, examined.Storage))
	}
	switch {
	case examined.Store != "":
		e.report(doctor.File(examined.Store))
		e.report(doctor.Folder(doctor.CheckStore, filepath.Dir(examined.Store)))
	case examined.Redis != "":
		e.report(doctor.Redis(ctx, examined.Redis, examined.RedisServer)...)
	default:
		e.report(doctor.Finding{
			Check: doctor.CheckStore, Status: doctor.Warning,
			Detail: "store memory: every session ends with the process", Advice: "Use store bolt or store redis.",
		})
	}
}

// platforms calls each API once, and has it check each app.
func (e *examination) platforms(ctx context.Context, examined *offline.Examined) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	var seen []string
	for _, mini := range examined.Apps {
		if !slices.Contains(seen, mini.API) {
			seen = append(seen, mini.API)
			e.report(doctor.API(ctx, transport, mini.API, time.Now)...)
		}
		if mini.Website {
			e.report(doctor.WebsiteCredentials(string(mini.ID)))
			continue
		}
		e.report(doctor.Credentials(ctx, string(mini.ID), mini.Client.CheckCredentials))
	}
}

// upstreams checks the addresses of all reverse_proxy handlers.
func (e *examination) upstreams(text []byte) {
	var config any
	if json.Unmarshal(text, &config) != nil {
		return // not reached: the configuration was validated
	}
	dials := dialed(config)
	slices.Sort(dials)
	for _, dial := range slices.Compact(dials) {
		e.report(doctor.Upstream(os.DirFS("/proc/net"), dial))
	}
}

// dialed returns the values of all members `dial` of a configuration.
func dialed(value any) []string {
	var found []string
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			found = append(found, dialed(element)...)
		}
	case map[string]any:
		for name, member := range value {
			if dial, ok := member.(string); ok && name == "dial" {
				found = append(found, dial)
			} else {
				found = append(found, dialed(member)...)
			}
		}
	}
	return found
}

// report prints findings at once, because the next check may call WeChat and take seconds.
func (e *examination) report(findings ...doctor.Finding) {
	e.findings = append(e.findings, findings...)
	if e.json {
		return
	}
	for _, f := range findings {
		about := ""
		if f.About != "" {
			about = f.About + ": "
		}
		_, _ = fmt.Fprintf(e.out, "%-11s  %-13s  %s%s\n", f.Status, f.Check, about, sentence(f.Detail, f.Advice))
	}
}

// sentence joins the detail of a finding and its advice.
func sentence(detail, advice string) string {
	if advice == "" {
		return detail
	}
	return detail + ". " + advice
}

// finish prints JSON with --json, and returns an error if a check failed.
func (e *examination) finish() error {
	if e.json {
		text, err := json.MarshalIndent(e.findings, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(e.out, "%s\n", text); err != nil {
			return err
		}
	}
	switch n := doctor.Failures(e.findings); n {
	case 0:
		return nil
	case 1:
		return errors.New("1 check failed")
	default:
		return fmt.Errorf("%d checks failed", n)
	}
}

// validate loads a configuration as `wxgate validate` does. It logs errors only.
func validate(text []byte) error {
	var config caddy.Config
	if err := caddy.StrictUnmarshalJSON(caddy.RemoveMetaFields(text), &config); err != nil {
		return err
	}
	config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: "ERROR"}}}}
	return caddy.Validate(&config)
}
