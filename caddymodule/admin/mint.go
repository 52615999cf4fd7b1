package admin

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/table"
)

func mintCommand(t *target) *cobra.Command {
	cmd := userCommandOf("mint", "Begins a session of a user without a login, with the option dev_mode only", func(cmd *cobra.Command, user adminapi.UserRequest) error {
		return run(cmd, t, adminapi.MintToken, user, printMinted)
	})
	cmd.Long = `
Begins a session of a user without a login, and prints its tokens. In a pipe it prints the
access token alone:

	curl -H "Authorization: Bearer $(wxgate token mint --app <appid> --openid <openid>)" …

The gateway must have the option dev_mode. The claim dev of the tokens is true.`
	return cmd
}

// printMinted prints a table on a terminal, and elsewhere only the access token, for scripts.
func printMinted(out io.Writer, minted adminapi.MintedToken) error {
	if !table.OnTerminal(out) {
		_, err := fmt.Fprintln(out, minted.AccessToken)
		return err
	}
	return table.Write(out, []string{"FIELD", "VALUE"}, [][]string{
		{"app", string(minted.App)},
		{"openid", string(minted.OpenID)},
		{"session", string(minted.Session)},
		{"access token", minted.AccessToken},
		{"expires", formatTime(minted.AccessExpiresAt)},
		{"refresh token", minted.RefreshToken},
		{"session expires", formatTime(minted.RefreshExpiresAt)},
	})
}
