package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
)

// The plot is a template and not a library's: go-analyze/charts and gonum/plot add several
// MB of fonts to a binary that is shipped to show the same dots.

//go:embed plot.svg.tmpl
var plotText string

var plotTemplate = template.Must(template.New("plot").Parse(plotText))

// The places of the plot, in the units of the SVG.
const (
	plotWidth   = 760
	plotLeft    = 166.0
	plotRight   = 660.0
	firstPanel  = 72
	firstRow    = 28
	rowHeight   = 26
	panelMargin = 48
	wantedTicks = 5
)

type plot struct {
	Title, Note   string
	Width, Height int
	Panels        []panel
}

// panel is one metric of all targets.
type panel struct {
	Title       string
	Top, Bottom int
	Ticks       []mark
	Rows        []row
}

type mark struct {
	X     float64
	Label string
}

// row is one metric of one target: a dot for each round, a line between the quartiles and
// one at the median.
type row struct {
	Name, Label    string
	Top            int
	Dots           []float64
	Q1, Median, Q3 float64
}

// WriteSVG draws every metric by which targets are compared. The colors follow the
// reader's light or dark mode.
func (r *Run) WriteSVG(out io.Writer) error {
	p := plot{
		Title: fmt.Sprintf("wxgate bench, scenario %s, for one %s", r.Scenario, r.Unit),
		Note:  fmt.Sprintf("A dot is one of %d rounds; the line is the median. %d CPUs %s.", r.Settings.Rounds, r.Machine.CPUs, r.Machine.CPU),
		Width: plotWidth,
	}
	top := firstPanel
	for _, c := range r.measured(func(c column) bool { return c.ratio }) {
		panel := r.panel(c)
		panel.Top = top
		top += panel.Bottom + panelMargin
		p.Panels = append(p.Panels, panel)
	}
	p.Height = top
	if err := plotTemplate.Execute(out, p); err != nil {
		return fmt.Errorf("writing SVG: %w", err)
	}
	return nil
}

func (r *Run) panel(c column) panel {
	var all []float64
	for _, target := range r.Targets {
		all = append(all, r.values(target, c.metric)...)
	}
	axis := newAxis(slices.Min(all)/c.scale, slices.Max(all)/c.scale)
	p := panel{Title: c.title, Ticks: axis.ticks()}
	for i, target := range r.Targets {
		values := r.values(target, c.metric)
		row := row{Name: target, Top: firstRow + i*rowHeight, Label: "-"}
		for _, v := range values {
			row.Dots = append(row.Dots, axis.at(v/c.scale))
		}
		if len(values) > 0 {
			median := quantile(values, 0.5) / c.scale
			row.Q1, row.Median, row.Q3 = axis.at(quantile(values, 0.25)/c.scale), axis.at(median), axis.at(quantile(values, 0.75)/c.scale)
			row.Label = fmt.Sprintf("%.*f", c.digits, median)
		}
		p.Rows = append(p.Rows, row)
	}
	p.Bottom = firstRow + len(r.Targets)*rowHeight - rowHeight/2
	return p
}

// axis maps values to places from plotLeft to plotRight.
type axis struct{ low, high, step float64 }

// newAxis chooses a range around the values that begins and ends at a tick.
func newAxis(low, high float64) axis {
	span := high - low
	if span == 0 {
		span = math.Max(math.Abs(high), 1)
	}
	step := math.Pow10(int(math.Floor(math.Log10(span / wantedTicks))))
	for _, factor := range []float64{5, 2} {
		if span/(step*factor) >= wantedTicks {
			step *= factor
			break
		}
	}
	a := axis{low: math.Floor(low/step) * step, high: math.Ceil(high/step) * step, step: step}
	if a.high == a.low {
		a.high += step
	}
	return a
}

func (a axis) at(v float64) float64 {
	x := plotLeft + (v-a.low)/(a.high-a.low)*(plotRight-plotLeft)
	return math.Round(x*10) / 10 // finer than a screen
}

func (a axis) ticks() []mark {
	digits := max(0, -int(math.Floor(math.Log10(a.step))))
	var ticks []mark
	for i := range int(math.Round((a.high-a.low)/a.step)) + 1 {
		v := a.low + float64(i)*a.step
		ticks = append(ticks, mark{a.at(v), fmt.Sprintf("%.*f", digits, v)})
	}
	return ticks
}
