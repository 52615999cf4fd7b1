package report

import (
	"math/rand/v2"
	"testing"
)

// The order statistics of the interval of a median at 95 %, as tables of the sign test have
// them: the k-th smallest and the k-th largest value of n. W. J. Conover, Practical
// Nonparametric Statistics, table A3 at p = 0.5.
func TestIntervalMatchesTheTables(t *testing.T) {
	for n, k := range map[int]int{6: 1, 8: 1, 9: 2, 11: 2, 12: 3, 14: 3, 15: 4, 17: 5, 20: 6, 25: 8, 30: 10, 40: 14, 50: 18} {
		ratios := make([]float64, n)
		for i, v := range rand.Perm(n) {
			ratios[i] = float64(v + 1) // so that the k-th smallest is k
		}
		r := newRatio(ratios)
		if r.Low == nil || *r.Low != float64(k) || *r.High != float64(n+1-k) {
			t.Errorf("%d rounds: %v, want [%d, %d]", n, r, k, n+1-k)
		}
		if want := float64(n+1) / 2; r.Median != want {
			t.Errorf("%d rounds: median %g, want %g", n, r.Median, want)
		}
	}
}

func TestIntervalNeedsSixRounds(t *testing.T) {
	if intervalRank(minRounds) != 1 || intervalRank(minRounds-1) != 0 {
		t.Errorf("%d rounds are not the least that an interval needs", minRounds)
	}
	r := newRatio([]float64{2, 2, 2, 2, 2})
	if r.Low != nil || r.High != nil || r.Resolved || r.Median != 2 {
		t.Errorf("five rounds: %+v, want no interval", r)
	}
	if r := newRatio(nil); r != nil {
		t.Errorf("without rounds: %v", r)
	}
}

func TestRatioIsResolved(t *testing.T) {
	for _, test := range []struct {
		ratios   []float64
		resolved bool
	}{
		{[]float64{1.1, 1.2, 1.1, 1.3, 1.1, 1.01}, true},
		{[]float64{0.9, 0.8, 0.9, 0.7, 0.9, 0.99}, true},
		{[]float64{1.1, 1.2, 1.1, 1.3, 1.1, 0.99}, false},
		{[]float64{1, 1, 1, 1, 1, 1}, false},
	} {
		if r := newRatio(test.ratios); r.Resolved != test.resolved {
			t.Errorf("%v: %v, want resolved %v", test.ratios, r, test.resolved)
		}
	}
}

// A machine that becomes twice as slow with each round changes no ratio.
func TestRatiosArePairedByRound(t *testing.T) {
	run := &Run{Baseline: "bare", Targets: []string{"bare", "guarded"}}
	for round, cost := range []float64{1, 2, 4, 8, 16, 32} {
		run.Rounds = append(run.Rounds,
			Round{Round: round + 1, Target: "guarded", Values: map[Metric]float64{CPU: 1.5 * cost}},
			Round{Round: round + 1, Target: "bare", Values: map[Metric]float64{CPU: cost}},
		)
	}
	// Rounds with one of the two are in no pair.
	run.Rounds = append(run.Rounds,
		Round{Round: 7, Target: "guarded", Values: map[Metric]float64{CPU: 1000}},
		Round{Round: 8, Target: "bare", Values: map[Metric]float64{CPU: 1000}},
		Round{Round: 9, Target: "bare", Values: map[Metric]float64{}},
	)
	for _, s := range run.Summaries() {
		if s.Target == "bare" && s.Ratio != nil {
			t.Errorf("the baseline has the ratio %v", s.Ratio)
		}
		if s.Target == "guarded" && (s.Ratio.Median != 1.5 || *s.Ratio.Low != 1.5 || *s.Ratio.High != 1.5) {
			t.Errorf("ratio %v, want 1.500 in each round", s.Ratio)
		}
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.25: 1.75, 0.5: 2.5, 0.75: 3.25, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %g = %g, want %g", q, got, want)
		}
	}
	if values[0] != 4 {
		t.Error("the values were sorted in place")
	}
	if got := quantile([]float64{7}, 0.75); got != 7 {
		t.Errorf("of one value: %g", got)
	}
}
