package admin

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/adminapi"
)

func eraseCommand(t *target) *cobra.Command {
	return userCommandOf("erase", "Deletes what is stored of the user, and refuses the user's tokens", func(cmd *cobra.Command, user adminapi.UserRequest) error {
		return run(cmd, t, adminapi.EraseUser, user, printReceipt)
	})
}

func printReceipt(out io.Writer, receipt adminapi.EraseReceipt) error {
	found := "erased"
	if !receipt.Found {
		found = "nothing was stored of this user"
	}
	attempts := "none"
	if receipt.AttemptsKept {
		attempts = "kept under a keyed hash until their day or lock is over"
	}
	_, err := fmt.Fprintf(out, "%s\nsessions deleted:             %d\nWeChat session keys deleted:  %d\nfailed attempts to decrypt:   %s\naccess tokens refused until:  %s\n\nnot covered:\n",
		found, receipt.Sessions, receipt.SessionKeys, attempts, formatTime(receipt.TokensRefusedUntil))
	for _, thing := range receipt.NotCovered {
		_, lineErr := fmt.Fprintf(out, "- %s\n", thing)
		err = errors.Join(err, lineErr)
	}
	return err
}
