package admin

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/table"
)

func sessionsCommand(cmd *cobra.Command) {
	t := group(cmd)
	end := sessionCommand("end", "Ends one session on all machines", func(cmd *cobra.Command, in adminapi.SessionRequest) error {
		return runDone(cmd, t, adminapi.EndSession, in)
	})
	show := sessionCommand("show", "Shows one session", func(cmd *cobra.Command, in adminapi.SessionRequest) error {
		return run(cmd, t, adminapi.ShowSession, in, func(out io.Writer, s adminapi.Session) error {
			return printSessions(out, []adminapi.Session{s})
		})
	})
	cmd.AddCommand(listSessionsCommand(t), show, end)
}

func listSessionsCommand(t *target) *cobra.Command {
	var app, openid string
	var in adminapi.SessionsRequest
	cmd := &cobra.Command{Use: "list", Short: "Lists who is logged in: of one user newest first, else in the order of the store", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if openid != "" && app == "" {
			return usage.Errorf("--openid <openid> needs --app <appid>")
		}
		in.App, in.OpenID = auth.AppID(app), auth.OpenID(openid)
		return run(cmd, t, adminapi.ListSessions, in, printSessionPage)
	}
	cmd.Flags().StringVar(&app, "app", "", "Only sessions of this app")
	cmd.Flags().StringVar(&openid, "openid", "", "Only sessions of this user of the app")
	cmd.Flags().IntVar(&in.Limit, "limit", auth.DefaultPageSize, fmt.Sprintf("Number of sessions on a page, at most %d", auth.MaxPageSize))
	cmd.Flags().StringVar(&in.Cursor, "cursor", "", "The next page, as the page before names it")
	return cmd
}

// sessionCommand returns a command about one session.
func sessionCommand(use, short string, run func(*cobra.Command, adminapi.SessionRequest) error) *cobra.Command {
	return &cobra.Command{Use: use + " <session>", Short: short, Args: exactlyOneSession, RunE: func(cmd *cobra.Command, args []string) error {
		return run(cmd, adminapi.SessionRequest{Session: args[0]})
	}}
}

func exactlyOneSession(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage.Errorf("expected one session ID; wxgate sessions list prints them")
	}
	return nil
}

// printSessionPage prints a page, and the flag that gets the next page.
func printSessionPage(out io.Writer, page adminapi.SessionPage) error {
	if len(page.Sessions) > 0 {
		if err := printSessions(out, page.Sessions); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(out, "no sessions"); err != nil {
		return err
	}
	if page.Next == "" {
		return nil
	}
	_, err := fmt.Fprintf(out, "next page: --cursor %s\n", page.Next)
	return err
}

// printSessions prints sessions. It adds a column for the parent if any session has one, as
// sessions of browsers may.
func printSessions(out io.Writer, sessions []adminapi.Session) error {
	header := []string{"SESSION", "APP", "OPENID", "LOGIN", "LAST SEEN", "EXPIRES", "DEVICE", "DOOR", "PHONE VERIFIED"}
	parents := slices.ContainsFunc(sessions, func(s adminapi.Session) bool { return s.Parent != "" })
	if parents {
		header = append(header, "PARENT")
	}
	var rows [][]string
	for _, s := range sessions {
		phone := "no"
		if s.PhoneVerified {
			phone = "yes"
		}
		row := []string{
			string(s.ID), string(s.App), string(s.OpenID), formatTime(s.Login), formatTime(s.LastSeen), formatTime(s.Expires), s.Device, s.Door, phone,
		}
		if parents {
			row = append(row, orDash(string(s.Parent)))
		}
		rows = append(rows, row)
	}
	return table.Write(out, header, rows)
}
