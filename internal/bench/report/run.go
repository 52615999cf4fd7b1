package report

import "slices"

// Run is one run of `wxgate bench`: its settings and its results.
type Run struct {
	Scenario string   `json:"scenario"`
	Unit     string   `json:"unit"`     // one operation, such as "request"
	Baseline string   `json:"baseline"` // the target that ratios refer to
	Settings Settings `json:"settings"`
	Machine  Machine  `json:"machine"`
	Targets  []string `json:"targets"` // in the order of the tables
	Rounds   []Round  `json:"rounds"`
}

// Settings are the flags of the run.
type Settings struct {
	Rounds      int     `json:"rounds"`
	Seconds     float64 `json:"seconds"` // measured, in each round and for each target
	Warmup      float64 `json:"warmup_seconds"`
	Connections int     `json:"connections,omitempty"`
	Rate        float64 `json:"rate,omitempty"` // operations per second; 0 is as many as possible
	Tokens      int     `json:"tokens,omitempty"`
	Sessions    int     `json:"sessions,omitempty"`
	Revocations int     `json:"revocations,omitempty"`
}

// Machine describes the machine of the run.
type Machine struct {
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	CPU     string `json:"cpu,omitempty"`
	CPUs    int    `json:"cpus"`
	Go      string `json:"go"`
	Version string `json:"version"` // of wxgate
}

// Round has the measurements of one target in one round.
type Round struct {
	Round  int                `json:"round"` // from 1
	Target string             `json:"target"`
	Values map[Metric]float64 `json:"values"` // without metrics that cannot be measured
}

// Metric is a measured quantity. Its name contains the unit.
type Metric string

// The metrics. A round has those that its scenario and the system support.
const (
	Operations  Metric = "operations"
	Seconds     Metric = "seconds"
	Throughput  Metric = "per_second"
	P50         Metric = "p50_us"
	P99         Metric = "p99_us"
	CPU         Metric = "cpu_us"          // of the target, per operation
	LoadCPU     Metric = "load_cpu_us"     // of wxgate bench, per operation; with WeChat in a login
	UpstreamCPU Metric = "upstream_cpu_us" // of the upstream, per operation
	WeChatP99   Metric = "wechat_p99_us"   // how long the simulator took for an exchange
	Ready       Metric = "ready_ms"        // from the start of the process until it serves
	StartCPU    Metric = "start_cpu_ms"    // until memory was read
	Anonymous   Metric = "anonymous_bytes"
	Resident    Metric = "resident_bytes"
	StoreFile   Metric = "store_bytes" // the size of the session store's file
)

// column describes a metric in tables and plots.
type column struct {
	metric  Metric
	title   string
	scale   float64 // the value is divided by it
	digits  int
	ratio   bool // whether targets are compared by it
	inTable bool
}

const mebibyte = 1 << 20

// columns are in the order of the tables. The CSV has all of them.
var columns = []column{
	{Operations, "operations", 1, 0, false, false},
	{Seconds, "seconds", 1, 2, false, false},
	{CPU, "CPU µs", 1, 1, true, true},
	{Throughput, "per second", 1, 0, true, true},
	{P50, "p50 µs", 1, 0, false, true},
	{P99, "p99 µs", 1, 0, true, true},
	{WeChatP99, "WeChat p99 µs", 1, 0, false, true},
	{LoadCPU, "load CPU µs", 1, 1, false, true},
	{UpstreamCPU, "upstream CPU µs", 1, 1, false, true},
	{Ready, "ready ms", 1, 0, true, true},
	{StartCPU, "start CPU ms", 1, 0, true, true},
	{Anonymous, "anonymous MiB", mebibyte, 1, true, true},
	{Resident, "resident MiB", mebibyte, 1, false, true},
	{StoreFile, "store MiB", mebibyte, 1, false, true},
}

// values returns a metric of a target, in the order of the rounds.
func (r *Run) values(target string, m Metric) []float64 {
	var found []float64
	for _, round := range r.Rounds {
		if v, ok := round.Values[m]; ok && round.Target == target {
			found = append(found, v)
		}
	}
	return found
}

// measured returns the columns of the metrics that at least one round has.
func (r *Run) measured(want func(column) bool) []column {
	return slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !want(c) || !slices.ContainsFunc(r.Rounds, func(round Round) bool {
			_, ok := round.Values[c.metric]
			return ok
		})
	})
}
