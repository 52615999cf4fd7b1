package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the medians with their spread, and the ratios to the baseline.
func (r *Run) WriteTable(out io.Writer) error {
	summaries := make(map[string]Summary)
	for _, s := range r.Summaries() {
		summaries[key(s.Target, s.Metric)] = s
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	r.writeHead(w)
	r.writeMedians(w, summaries)
	if len(r.Targets) > 1 {
		r.writeRatios(w, summaries)
	}
	if len(r.measured(func(c column) bool { return c.metric == Resident })) == 0 {
		_, _ = fmt.Fprintln(w, "\nCPU time and memory were not measured: they are read from /proc, as Linux has it.")
	}
	return w.Flush()
}

func key(target string, m Metric) string { return target + "\x00" + string(m) }

func (r *Run) writeHead(w io.Writer) {
	s, m := r.Settings, r.Machine
	_, _ = fmt.Fprintf(w, "Scenario %s: %d rounds of %g s for each target", r.Scenario, s.Rounds, s.Seconds)
	for _, option := range []struct {
		value float64
		text  string
	}{
		{float64(s.Connections), "%.0f connections"}, {float64(s.Tokens), "%.0f tokens"}, {s.Rate, "%g per second"},
		{float64(s.Sessions), "%.0f sessions"}, {float64(s.Revocations), "%.0f revocations"},
	} {
		if option.value > 0 {
			_, _ = fmt.Fprintf(w, ", "+option.text, option.value)
		}
	}
	_, _ = fmt.Fprintf(w, "\n%s, %s %s, %d CPUs %s, %s\n", m.Version, m.OS, m.Arch, m.CPUs, m.CPU, m.Go)
}

// writeMedians writes a line for each target. Costs are for one operation.
func (r *Run) writeMedians(w io.Writer, summaries map[string]Summary) {
	shown := r.measured(func(c column) bool { return c.inTable })
	_, _ = fmt.Fprintf(w, "\nMedian of the rounds for one %s, ± half the distance of the quartiles\n", r.Unit)
	_, _ = fmt.Fprintf(w, "target%s\n", titles(shown))
	for _, target := range r.Targets {
		_, _ = fmt.Fprint(w, target)
		for _, c := range shown {
			s, ok := summaries[key(target, c.metric)]
			if !ok {
				_, _ = fmt.Fprint(w, "\t-")
				continue
			}
			_, _ = fmt.Fprintf(w, "\t%.*f ±%.*f", c.digits, s.Median/c.scale, c.digits, (s.Q3-s.Q1)/2/c.scale)
		}
		_, _ = fmt.Fprintln(w)
	}
}

// writeRatios writes a line for each target but the baseline.
func (r *Run) writeRatios(w io.Writer, summaries map[string]Summary) {
	shown := r.measured(func(c column) bool { return c.inTable && c.ratio })
	_, _ = fmt.Fprintf(w, "\nRatio to %s within a round: median [95 %% interval]; ~ is not resolved\n", r.Baseline)
	if r.Settings.Rounds < minRounds {
		_, _ = fmt.Fprintf(w, "An interval needs at least %d rounds.\n", minRounds)
	}
	_, _ = fmt.Fprintf(w, "target%s\n", titles(shown))
	for _, target := range r.Targets {
		if target == r.Baseline {
			continue
		}
		_, _ = fmt.Fprint(w, target)
		for _, c := range shown {
			_, _ = fmt.Fprintf(w, "\t%s", summaries[key(target, c.metric)].Ratio)
		}
		_, _ = fmt.Fprintln(w)
	}
}

func titles(shown []column) string {
	var b strings.Builder
	for _, c := range shown {
		b.WriteString("\t" + c.title)
	}
	return b.String()
}

// String returns the ratio as tables have it.
func (r *Ratio) String() string {
	if r == nil {
		return "-"
	}
	text := fmt.Sprintf("%.3f", r.Median)
	if r.Low != nil {
		text += fmt.Sprintf(" [%.3f, %.3f]", *r.Low, *r.High)
	}
	if !r.Resolved {
		text += " ~"
	}
	return text
}
