package admin

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/table"
)

func eventsCommand(cmd *cobra.Command) {
	t := group(cmd)
	list := &cobra.Command{Use: "list", Short: "Shows how many events and pushes wait for their delivery, and lists the dead letters, oldest first", Args: cobra.NoArgs}
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return run(cmd, t, adminapi.ListEvents, adminapi.None{}, printEvents)
	}
	cmd.AddCommand(list, resendCommand(t))
}

func resendCommand(t *target) *cobra.Command {
	var in adminapi.ResendRequest
	cmd := &cobra.Command{Use: "resend <id>|--all", Short: "Delivers dead letters again"}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 1 || in.All == (len(args) == 1) {
			return usage.Errorf("expected the ID of one dead letter, which wxgate events list prints, or --all")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			in.ID = args[0]
		}
		return run(cmd, t, adminapi.ResendEvents, in, func(out io.Writer, done adminapi.Resent) error {
			_, err := fmt.Fprintf(out, "dead letters that wait for delivery again: %d\n", done.Resent)
			return err
		})
	}
	cmd.Flags().BoolVar(&in.All, "all", false, "All dead letters")
	return cmd
}

func printEvents(out io.Writer, list adminapi.EventList) error {
	to := list.To
	if to == "" {
		to = "nothing is sent: events_to is not configured"
	}
	_, err := fmt.Fprintf(out, "to %s\nevents %s\nbytes that wait %d\n%s", to, queueText(list.Waiting), list.Waiting.Bytes, pushText(list.Pushes))
	if len(list.Dead) == 0 {
		return err
	}
	var rows [][]string
	for _, e := range list.Dead {
		rows = append(rows, []string{e.ID, e.Kind, orDash(e.To), formatTime(e.Enqueued), strconv.Itoa(e.Attempts), orDash(e.Reason)})
	}
	return errors.Join(err, table.Write(out, []string{"DEAD LETTER", "KIND", "TO", "ENQUEUED", "ATTEMPTS", "REASON"}, rows))
}
