package admin

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/table"
)

func showUserCommand(t *target) *cobra.Command {
	return usersCommandOf("show", "Shows the sessions of the user, or of every user of a person, and what else is stored", func(cmd *cobra.Command, in adminapi.UsersRequest) error {
		if in.UnionID == "" {
			return run(cmd, t, adminapi.ShowUser, adminapi.UserRequest{App: in.App, OpenID: in.OpenID}, printUser)
		}
		return run(cmd, t, adminapi.ShowPerson, adminapi.PersonRequest{App: in.App, UnionID: in.UnionID}, printPerson)
	})
}

func printPerson(out io.Writer, person adminapi.Person) error {
	var rows [][]string
	var sessions []adminapi.Session
	for _, user := range person.Users {
		sessions = append(sessions, user.Sessions...)
		rows = append(rows, []string{string(user.App), string(user.OpenID), user.UserID, strconv.Itoa(len(user.Sessions)), doorsOf(user.Sessions)})
	}
	fields := [][]string{
		{"unionid", string(person.UnionID)}, {"person_id in logs", person.PersonID},
		{"users", strconv.Itoa(len(person.Users))}, {"sessions", strconv.Itoa(len(sessions))},
	}
	if err := table.Write(out, []string{"FIELD", "VALUE"}, fields); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	if err := table.Write(out, []string{"APP", "OPENID", "USER_ID", "SESSIONS", "DOORS"}, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return printSessions(out, sessions)
}

// doorsOf returns the doors of sessions, each once.
func doorsOf(sessions []adminapi.Session) string {
	var doors []string
	for _, s := range sessions {
		doors = append(doors, s.Door)
	}
	slices.Sort(doors)
	return strings.Join(slices.Compact(doors), ", ")
}
