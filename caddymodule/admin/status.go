package admin

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/table"
)

func statusCommand(cmd *cobra.Command) {
	t := new(target)
	t.bind(cmd)
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return run(cmd, t, adminapi.ShowStatus, adminapi.None{}, printStatus)
	}
}

func printStatus(out io.Writer, s adminapi.Status) error {
	uptime := time.Duration(s.Uptime) * time.Second
	_, err := fmt.Fprintf(out, "wxgate %s, Caddy %s, %s, up %s\nstore %s\nsigning key %s since %s, %d in all\nevents %s\n%s\n",
		s.Version, s.Caddy, s.Go, uptime, storeText(s.Store), orDash(string(s.Keys.Signing)), formatTime(s.Keys.SignsFrom), s.Keys.Count, queueText(s.Queue), pushText(s.Pushes))
	var apps, outcomes [][]string
	for _, app := range s.Apps {
		token := "-"
		if app.TokenAge != nil {
			token = (time.Duration(*app.TokenAge) * time.Second).String()
		}
		apps = append(apps, []string{string(app.App), app.Platform, app.Breaker, app.Forwards, token})
	}
	for _, o := range s.Outcomes.Calls {
		outcomes = append(outcomes, []string{o.Call, o.Outcome, strconv.Itoa(o.Count)})
	}
	err = errors.Join(err, table.Write(out, []string{"APP", "PLATFORM", "BREAKER", "OPENAPI BREAKER", "TOKEN AGE"}, apps))
	if len(outcomes) == 0 {
		_, last := fmt.Fprintf(out, "\nno requests since %s\n", formatTime(s.Outcomes.Since))
		return errors.Join(err, last)
	}
	_, last := fmt.Fprintf(out, "\nsince %s\n", formatTime(s.Outcomes.Since))
	return errors.Join(err, last, table.Write(out, []string{"CALL", "OUTCOME", "COUNT"}, outcomes))
}

func storeText(s adminapi.StoreStatus) string {
	text := s.Kind + ": ready"
	if !s.Ready {
		text = s.Kind + ": not ready, " + s.Problem
	}
	if s.Sessions != nil && s.Users != nil {
		text += ", " + table.Count(*s.Sessions, "session") + " of " + table.Count(*s.Users, "user")
	}
	text += ", " + table.Count(s.Revocations, "revocation")
	if s.Staleness != nil {
		text += fmt.Sprintf(", revocations of other machines known up to %s ago", time.Duration(*s.Staleness)*time.Millisecond)
	}
	return text
}

func queueText(q adminapi.QueueStatus) string {
	switch {
	case q.Problem != "":
		return "unknown: " + q.Problem
	case q.Entries == 0:
		return fmt.Sprintf("0 waiting, %d dead", q.Dead)
	}
	return fmt.Sprintf("%d waiting since %s, %d dead", q.Entries, formatTime(q.Oldest), q.Dead)
}

// pushText returns a line for each service that gets messages that WeChat pushes.
func pushText(pushes []adminapi.PushQueue) string {
	var text strings.Builder
	for _, p := range pushes {
		gets := "all other messages"
		if len(p.Events) > 0 {
			gets = strings.Join(p.Events, " ")
		}
		fmt.Fprintf(&text, "pushes of %s to %s (%s) %s\n", p.App, p.To, gets, queueText(p.Waiting))
	}
	return text.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
