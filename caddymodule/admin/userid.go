package admin

import (
	"io"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/table"
)

// userIDCommand returns the command `wxgate user id`.
func userIDCommand(t *target) *cobra.Command {
	var app, openid string
	var in adminapi.FindUserRequest
	cmd := &cobra.Command{Use: "id", Short: "Shows the user_id of an openid in logs, or finds the openid of a user_id", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		in.App, in.OpenID = auth.AppID(app), auth.OpenID(openid)
		if (openid == "") == (in.UserID == "") || openid != "" && app == "" {
			return usage.Errorf("expected --app <appid> and --openid <openid>, or --log-id <user_id>")
		}
		return findUser(cmd, t, in)
	}
	cmd.Flags().StringVar(&app, "app", "", "The mini program's appid; with --log-id, search only among its users")
	cmd.Flags().StringVar(&openid, "openid", "", "The user's openid")
	cmd.Flags().StringVar(&in.UserID, "log-id", "", "The user_id of a log line; the user must be logged in")
	return cmd
}

// findUser repeats the call until the user is found or no session is left.
func findUser(cmd *cobra.Command, t *target, in adminapi.FindUserRequest) error {
	for {
		response, err := t.send(adminapi.FindUser.Method, adminapi.FindUser.Path, in)
		if err != nil {
			return err
		}
		var found adminapi.FoundUser
		if err := json.Unmarshal(response, &found); err != nil {
			return err
		}
		if found.Next == "" {
			return show(cmd, t, response, found, printFoundUser)
		}
		in.Cursor = found.Next
	}
}

func printFoundUser(out io.Writer, user adminapi.FoundUser) error {
	return table.Write(out, []string{"APP", "OPENID", "USER_ID"}, [][]string{{string(user.App), string(user.OpenID), user.UserID}})
}
