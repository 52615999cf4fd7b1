package report

import (
	"math"
	"slices"
)

const (
	// confidence is the minimum confidence of the intervals.
	confidence = 0.95
	// minRounds is how many rounds an interval needs.
	minRounds = 6
)

// Summary is a metric of one target over all rounds.
type Summary struct {
	Target string  `json:"target"`
	Metric Metric  `json:"metric"`
	Rounds int     `json:"rounds"`
	Median float64 `json:"median"`
	// Q1 and Q3 are the quartiles: half of the rounds are between them.
	Q1 float64 `json:"q1"`
	Q3 float64 `json:"q3"`
	// Ratio compares the target with the baseline. It is nil for the baseline, and for
	// metrics by which targets are not compared.
	Ratio *Ratio `json:"ratio,omitempty"`
}

// Ratio is the median of the ratios of a target to the baseline, each within one round, so that
// a machine that becomes slower during the run has no influence.
type Ratio struct {
	Median float64 `json:"median"`
	// Low and High are the interval of the median at a confidence of at least 95 %, by
	// order statistics, which assume nothing about the distribution. They are nil with
	// less than six rounds.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
	// Resolved reports whether 1 is outside the interval, so that the targets differ.
	Resolved bool `json:"resolved"`
}

// Summaries returns the summaries of all targets and metrics, in the order of the tables.
func (r *Run) Summaries() []Summary {
	var all []Summary
	for _, target := range r.Targets {
		for _, c := range r.measured(func(column) bool { return true }) {
			values := r.values(target, c.metric)
			if len(values) == 0 {
				continue
			}
			s := Summary{Target: target, Metric: c.metric, Rounds: len(values)}
			s.Q1, s.Median, s.Q3 = quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)
			if c.ratio && target != r.Baseline {
				s.Ratio = newRatio(r.pairs(target, c.metric))
			}
			all = append(all, s)
		}
	}
	return all
}

// pairs returns the ratios of a target to the baseline, of the rounds that have both.
func (r *Run) pairs(target string, m Metric) []float64 {
	base := make(map[int]float64)
	for _, round := range r.Rounds {
		if v := round.Values[m]; round.Target == r.Baseline && v > 0 {
			base[round.Round] = v
		}
	}
	var ratios []float64
	for _, round := range r.Rounds {
		v, ok := round.Values[m]
		if b := base[round.Round]; ok && round.Target == target && b > 0 {
			ratios = append(ratios, v/b)
		}
	}
	return ratios
}

// newRatio returns nil without any ratio.
func newRatio(ratios []float64) *Ratio {
	n := len(ratios)
	if n == 0 {
		return nil
	}
	ratio := &Ratio{Median: quantile(ratios, 0.5)}
	k := intervalRank(n)
	if k == 0 {
		return ratio
	}
	sorted := slices.Sorted(slices.Values(ratios))
	low, high := sorted[k-1], sorted[n-k]
	ratio.Low, ratio.High = &low, &high
	ratio.Resolved = low > 1 || high < 1
	return ratio
}

// intervalRank returns the k for which the k-th smallest and the k-th largest of n values
// are around the median with the wanted confidence; 0 if n is too small. It is the
// interval of the sign test: each value is below the median with probability 1/2, so that
// each of the two misses it with the probability of fewer than k heads in n coin tosses.
//
// golang.org/x/perf/benchmath has a narrower interval with the same confidence. It gets
// that by a lower end with less risk than the upper end, and a figure is reached here if
// the upper end is below it.
func intervalRank(n int) int {
	tail, heads := 0.0, math.Pow(0.5, float64(n)) // of at most k heads, and of exactly k
	for k := range n {
		if tail += heads; 2*tail > 1-confidence {
			return k
		}
		heads *= float64(n-k) / float64(k+1)
	}
	return 0
}

// quantile interpolates between the two values around q.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
