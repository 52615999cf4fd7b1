package admin

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/table"
)

func eraseCommand(t *target) *cobra.Command {
	return usersCommandOf("erase", "Deletes what is stored of the user, or of every user of a person, and refuses the tokens", func(cmd *cobra.Command, users adminapi.UsersRequest) error {
		response, err := t.send(adminapi.EraseUser.Method, adminapi.EraseUser.Path, users)
		if err != nil {
			return err
		}
		var receipt adminapi.EraseReceipt
		if err := json.Unmarshal(response, &receipt); err != nil {
			return fmt.Errorf("reading the response: %w", err)
		}
		return errors.Join(show(cmd, t, response, receipt, printReceipt), notErased(receipt))
	})
}

// notErased returns an error if a user was not erased.
func notErased(receipt adminapi.EraseReceipt) error {
	failed := 0
	for _, user := range receipt.Users {
		if user.Problem != "" {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %s not erased; repeat the command with the openid of each that has a problem", failed, table.Count(len(receipt.Users), "user"))
}

func printReceipt(out io.Writer, receipt adminapi.EraseReceipt) error {
	found := "erased"
	switch {
	case notErased(receipt) != nil:
		found = "not everything was erased"
	case !receipt.Found:
		found = "nothing was stored of this user"
	}
	attempts := "none"
	if receipt.AttemptsKept {
		attempts = "kept under a keyed hash until their day or lock is over"
	}
	_, err := fmt.Fprintf(out, "%s\nsessions deleted:             %d\nWeChat session keys deleted:  %d\nfailed attempts to decrypt:   %s\naccess tokens refused until:  %s\n\n",
		found, receipt.Sessions, receipt.SessionKeys, attempts, formatTime(receipt.TokensRefusedUntil))
	var rows [][]string
	for _, user := range receipt.Users {
		rows = append(rows, []string{string(user.App), string(user.OpenID), strconv.Itoa(user.Sessions), strconv.Itoa(user.SessionKeys), orDash(user.Problem)})
	}
	err = errors.Join(err, table.Write(out, []string{"APP", "OPENID", "SESSIONS", "SESSION KEYS", "PROBLEM"}, rows))
	_, last := fmt.Fprint(out, "\nnot covered:\n")
	err = errors.Join(err, last)
	for _, thing := range receipt.NotCovered {
		_, lineErr := fmt.Fprintf(out, "- %s\n", thing)
		err = errors.Join(err, lineErr)
	}
	return err
}
