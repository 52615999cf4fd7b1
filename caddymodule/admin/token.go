package admin

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/caddymodule/usage"
	"github.com/wxgate/wxgate/internal/adminapi"
	"github.com/wxgate/wxgate/internal/table"
)

// maxTokenInput bounds the token that is read: the gateway refuses tokens above 1 KiB.
const maxTokenInput = 8 << 10

func tokenCommand(cmd *cobra.Command) {
	t := group(cmd)
	cmd.AddCommand(inspectCommand(t), mintCommand(t))
}

func inspectCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect",
		Short: "Decodes the access token on standard input, and asks the gateway whether it admits it",
		Long: `
Decodes an access token, and asks the running gateway whether it admits the token
now, and why not. If no gateway responds, the token is only decoded. The token is
read from standard input, because every process sees the arguments of others.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := readToken(cmd.InOrStdin())
			if err != nil {
				return err
			}
			report, err := adminapi.DecodeToken(raw)
			if err != nil {
				return err
			}
			response, err := t.send(adminapi.InspectToken.Method, adminapi.InspectToken.Path, adminapi.TokenRequest{Token: raw})
			switch {
			case errors.Is(err, errNoResponse):
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "the token was only decoded:", err)
				if response, err = json.Marshal(report); err != nil {
					return err
				}
			case err != nil:
				return err
			}
			if err := json.Unmarshal(response, &report); err != nil {
				return fmt.Errorf("reading the response: %w", err)
			}
			return show(cmd, t, response, report, printToken)
		},
	}
}

func readToken(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxTokenInput+1))
	if err != nil {
		return "", fmt.Errorf("reading the token from standard input: %w", err)
	}
	raw := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(text)), "Bearer "))
	if raw == "" || len(text) > maxTokenInput {
		return "", usage.Errorf("expected an access token on standard input, such as: wxgate token inspect < token.txt")
	}
	return raw, nil
}

// tokenTimes are the claims that are times.
var tokenTimes = []string{"exp", "iat", "nbf", "auth_time"}

func printToken(out io.Writer, report adminapi.TokenReport) error {
	var rows [][]string
	for _, part := range []struct {
		name string
		text jsontext.Value
	}{{"header", report.Header}, {"claims", report.Claims}} {
		members := map[string]jsontext.Value{}
		if err := json.Unmarshal(part.text, &members); err != nil {
			return fmt.Errorf("reading the %s: %w", part.name, err)
		}
		for _, name := range sortedKeys(members) {
			rows = append(rows, []string{part.name, name, claimText(name, members[name])})
		}
	}
	if err := table.Write(out, []string{"PART", "NAME", "VALUE"}, rows); err != nil {
		return err
	}
	verdict := "not checked: no gateway was asked"
	switch {
	case report.Admitted:
		verdict = "admitted"
	case report.Checked:
		verdict = fmt.Sprintf("not admitted: %s: %s", report.Reason, report.Cause)
	}
	_, err := fmt.Fprintln(out, verdict)
	return err
}

func sortedKeys(members map[string]jsontext.Value) []string {
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// claimText formats a claim for people: strings without quotes, times as dates.
func claimText(name string, value jsontext.Value) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var seconds int64
	if !slices.Contains(tokenTimes, name) || json.Unmarshal(value, &seconds) != nil {
		return string(value)
	}
	at := time.Unix(seconds, 0).UTC()
	wait := time.Until(at).Round(time.Second)
	if wait <= 0 {
		return fmt.Sprintf("%s, %s ago", at.Format(time.RFC3339), -wait)
	}
	return fmt.Sprintf("%s, in %s", at.Format(time.RFC3339), wait)
}
