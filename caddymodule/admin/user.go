package admin

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/table"
)

func userCommand(cmd *cobra.Command) {
	t := group(cmd)
	cmd.AddCommand(
		showUserCommand(t),
		userIDCommand(t),
		logoutCommand(t),
		userCommandOf("export", "Prints everything that is stored about the user as JSON, the phone number included", func(cmd *cobra.Command, user adminapi.UserRequest) error {
			t.json = true // an export has no text form
			return run(cmd, t, adminapi.ExportUser, user, nil)
		}),
		eraseCommand(t),
	)
}

func logoutCommand(t *target) *cobra.Command {
	return usersCommandOf("logout", "Ends every session of the user, or of every user of a person", func(cmd *cobra.Command, users adminapi.UsersRequest) error {
		return runDone(cmd, t, adminapi.LogoutUser, users)
	})
}

// usersCommandOf returns a command about one user, or about every user of a person.
func usersCommandOf(use, short string, run func(*cobra.Command, adminapi.UsersRequest) error) *cobra.Command {
	var app, openid, unionid string
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if app == "" || (openid == "") == (unionid == "") {
			return usage.Errorf("--app <appid> and either --openid <openid> or --unionid <unionid> are required")
		}
		return run(cmd, adminapi.UsersRequest{App: auth.AppID(app), OpenID: auth.OpenID(openid), UnionID: auth.UnionID(unionid)})
	}
	cmd.Flags().StringVar(&app, "app", "", "The mini program's appid")
	cmd.Flags().StringVar(&openid, "openid", "", "The user's openid")
	cmd.Flags().StringVar(&unionid, "unionid", "", "A person's unionid: every app's user of the person, on the platform and API host of --app")
	return cmd
}

func printUser(out io.Writer, user adminapi.User) error {
	fields := [][]string{
		{"app", string(user.App)},
		{"openid", string(user.OpenID)},
		{"user_id in logs", user.UserID},
		{"sessions", strconv.Itoa(len(user.Sessions))},
		{"session keys", strconv.Itoa(user.SessionKeys)},
		{"failed attempts to decrypt today", strconv.Itoa(user.FailedToday)},
		{"logged out everywhere", formatTime(user.EndedUntil)},
	}
	if err := table.Write(out, []string{"FIELD", "VALUE"}, fields); err != nil || len(user.Sessions) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return printSessions(out, user.Sessions)
}

func sessionKeyCommand(cmd *cobra.Command) {
	t := group(cmd)
	cmd.AddCommand(
		userDone(t, "check", "Checks the session_key with WeChat and deletes it if it is no longer valid", adminapi.CheckSessionKey),
		userDone(t, "reset", "Replaces the session_key", adminapi.ResetSessionKey),
	)
}

// userDone returns a command that changes something for one user.
func userDone(t *target, use, short string, c adminapi.Call[adminapi.UserRequest, adminapi.Done]) *cobra.Command {
	return userCommandOf(use, short, func(cmd *cobra.Command, user adminapi.UserRequest) error {
		return runDone(cmd, t, c, user)
	})
}

// userCommandOf returns a command about one user, whom --app and --openid name.
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
