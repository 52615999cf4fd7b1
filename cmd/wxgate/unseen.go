package main

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// printUnseen makes Cobra print the error of one of Caddy's commands if Caddy logs it elsewhere
// than on standard error. Users do not look into a log file when a command prints nothing.
func printUnseen(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		first := caddy.Log()
		err := run(cmd, args)
		if err == nil {
			return nil
		}
		if now := caddy.Log(); now != first && !onStderr(cmd, now, err) {
			cmd.SilenceErrors = false
		}
		return err
	}
}

// onStderr reports whether the default log of the command's configuration wrote the error to
// standard error. A configuration on standard input cannot be read again: its error may be
// printed twice.
func onStderr(cmd *cobra.Command, log *zap.Logger, failed error) bool {
	if log.Check(zapcore.ErrorLevel, failed.Error()) == nil {
		return false
	}
	text, _, err := readConfig(caddycmd.Flags{FlagSet: cmd.Flags()})
	if err != nil {
		return false
	}
	var config caddy.Config
	if json.Unmarshal(text, &config) != nil {
		return false
	}
	if config.Logging == nil || config.Logging.Logs[caddy.DefaultLoggerName] == nil {
		return len(text) > 0
	}
	var writer struct{ Output string }
	if raw := config.Logging.Logs[caddy.DefaultLoggerName].WriterRaw; raw != nil && json.Unmarshal(raw, &writer) != nil {
		return false
	}
	return writer.Output == "" || writer.Output == "stderr"
}
