package attack

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// maxCell is the width of a request in the table; the other reports have all of it.
const maxCell = 70

// maxAdvisories is how many advisories the table shows for an attack.
const maxAdvisories = 2

// WriteTable writes one line for each attack, then the totals of each mechanism, and then
// the reasons of the findings that were not blocked.
func WriteTable(w io.Writer, findings []Finding) error {
	// Writing to the table cannot fail: it is buffered until Flush.
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ATTACK\tADVISORIES\tREQUEST\tVERDICT")
	for _, group := range byAttack(findings) {
		first := group[0]
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", first.ID, few(first.Advisories), cell(first.Request), verdicts(group))
	}
	_, _ = fmt.Fprintln(table, "\nMECHANISM\tBLOCKED\tSUCCEEDED\tNOT APPLICABLE\tINCONCLUSIVE")
	for _, m := range Mechanisms() {
		count := map[Verdict]int{}
		for _, f := range findings {
			if f.Mechanism == m.Name {
				count[f.Verdict]++
			}
		}
		if len(count) == 0 {
			continue
		}
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\n", m.Title, count[Blocked], count[Succeeded], count[NotApplicable], count[Inconclusive])
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	return writeReasons(w, findings)
}

// writeReasons writes each reason of the findings that were not blocked once.
func writeReasons(w io.Writer, findings []Finding) error {
	var b strings.Builder
	printed := map[string]bool{}
	for _, f := range findings {
		line := fmt.Sprintf("%s over %s: %s\n\t%s\n", f.ID, f.Protocol, f.Reason, f.Request)
		if f.Verdict == NotApplicable || f.Verdict == Inconclusive {
			line = fmt.Sprintf("%s over %s: %s\n", f.Mechanism, f.Protocol, f.Reason)
		}
		line = string(f.Verdict) + ": " + line
		if f.Verdict != Blocked && !printed[line] {
			printed[line] = true
			b.WriteString(line)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "\n"+b.String()); err != nil {
		return fmt.Errorf("printing the reasons: %w", err)
	}
	return nil
}

func few(advisories []string) string {
	if len(advisories) <= maxAdvisories {
		return strings.Join(advisories, ", ")
	}
	return strings.Join(advisories[:maxAdvisories], ", ") + ", …"
}

// byAttack groups the findings by attack, in the order of the corpus.
func byAttack(findings []Finding) [][]Finding {
	at := map[string]int{}
	var groups [][]Finding
	for _, f := range findings {
		i, ok := at[f.ID]
		if !ok {
			i = len(groups)
			at[f.ID] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// verdicts returns "blocked" if all are, and otherwise each verdict with its protocol.
func verdicts(group []Finding) string {
	same := !slices.ContainsFunc(group, func(f Finding) bool { return f.Verdict != group[0].Verdict })
	var parts []string
	for _, f := range group {
		parts = append(parts, string(f.Protocol))
	}
	if same {
		return string(group[0].Verdict) + " (" + strings.Join(parts, " ") + ")"
	}
	for i, f := range group {
		parts[i] += " " + string(f.Verdict)
	}
	return strings.Join(parts, ", ")
}

// cell shortens a request to fit into the table, and replaces control characters.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '·'
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > maxCell {
		return string(runes[:maxCell]) + "…"
	}
	return s
}

// WriteJSON writes the findings as JSON.
func WriteJSON(w io.Writer, findings []Finding) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(findings); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// The elements of a JUnit report that all readers support.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the findings as test cases, one suite for each mechanism.
func WriteJUnit(w io.Writer, findings []Finding) error {
	var report junitSuites
	for _, m := range Mechanisms() {
		suite := junitSuite{Name: m.Name}
		for _, f := range findings {
			if f.Mechanism == m.Name {
				suite.add(f)
			}
		}
		if suite.Tests > 0 {
			report.Suites = append(report.Suites, suite)
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing JUnit: %w", err)
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(report); err != nil {
		return fmt.Errorf("writing JUnit: %w", err)
	}
	return nil
}

func (s *junitSuite) add(f Finding) {
	c := junitCase{Class: "wxgate.attack." + f.Mechanism, Name: f.ID + " over " + string(f.Protocol)}
	message := &junitMessage{Message: f.Reason, Text: f.Request + "\n" + strings.Join(f.Advisories, " ")}
	s.Tests++
	switch f.Verdict {
	case Succeeded:
		c.Failure = message
		s.Failures++
	case Inconclusive:
		c.Error = message
		s.Errors++
	case NotApplicable:
		c.Skipped = message
		s.Skipped++
	case Blocked:
	}
	s.Cases = append(s.Cases, c)
}
