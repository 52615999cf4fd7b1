package admin

import (
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/auth"
)

func userCommand(cmd *cobra.Command) {
	t := group(cmd)
	cmd.AddCommand(userDone(t, "logout", "Ends every session of the user", adminapi.LogoutUser))
}

func sessionKeyCommand(cmd *cobra.Command) {
	t := group(cmd)
	cmd.AddCommand(
		userDone(t, "check", "Checks the session_key with WeChat and deletes it if it is no longer valid", adminapi.CheckSessionKey),
		userDone(t, "reset", "Replaces the session_key", adminapi.ResetSessionKey),
	)
}

// userDone is a command that does something to one user.
func userDone(t *target, use, short string, c adminapi.Call[adminapi.UserRequest, adminapi.Done]) *cobra.Command {
	return userCommandOf(use, short, func(cmd *cobra.Command, user adminapi.UserRequest) error {
		return runDone(cmd, t, c, user)
	})
}

// userCommandOf is a command about one user, whom --app and --openid name.
func userCommandOf(use, short string, run func(*cobra.Command, adminapi.UserRequest) error) *cobra.Command {
	var app, openid string
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if app == "" || openid == "" {
			return usage.Errorf("--app <appid> and --openid <openid> are required")
		}
		return run(cmd, adminapi.UserRequest{App: auth.AppID(app), OpenID: auth.OpenID(openid)})
	}}
	cmd.Flags().StringVar(&app, "app", "", "The mini program's appid")
	cmd.Flags().StringVar(&openid, "openid", "", "The user's openid")
	return cmd
}
