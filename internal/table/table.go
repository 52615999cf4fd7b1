// Package table prints tables: drawn on a terminal, aligned text in a pipe.
package table

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Write prints rows below a header. A table that is wider than the terminal is printed one
// field a line: a cut identifier could not be used in the next command.
func Write(out io.Writer, header []string, rows [][]string) error {
	return write(out, terminalWidth(out), header, rows)
}

// OnTerminal reports whether out is a terminal, where [Write] draws a table.
func OnTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// terminalWidth returns the width of the terminal that out is, or 0.
func terminalWidth(out io.Writer) int {
	if !OnTerminal(out) {
		return 0
	}
	width, _, err := term.GetSize(int(out.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}

func write(out io.Writer, width int, header []string, rows [][]string) error {
	if width == 0 {
		return writePlain(out, header, rows)
	}
	drawn := draw(header, rows)
	if text.LongestLineLen(drawn) > width {
		return writeFields(out, header, rows)
	}
	_, err := fmt.Fprintln(out, drawn)
	return err
}

func writePlain(out io.Writer, header []string, rows [][]string) error {
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(columns, strings.Join(header, "\t"))
	for _, row := range rows {
		_, _ = fmt.Fprintln(columns, strings.Join(row, "\t"))
	}
	return columns.Flush()
}

func draw(header []string, rows [][]string) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Options.SeparateHeader = true
	t.AppendHeader(row(header))
	for _, r := range rows {
		t.AppendRow(row(r))
	}
	return t.Render()
}

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, cell := range cells {
		r[i] = cell
	}
	return r
}

// writeFields prints each row as lines of a name and a value, with an empty line between rows.
func writeFields(out io.Writer, header []string, rows [][]string) error {
	fields := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, row := range rows {
		if i > 0 {
			_, _ = fmt.Fprintln(fields)
		}
		for j, cell := range row {
			_, _ = fmt.Fprintf(fields, "%s\t%s\n", header[j], cell)
		}
	}
	return fields.Flush()
}

// Count returns a number with its noun: 1 session, 2 sessions.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
