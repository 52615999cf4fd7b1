package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// sampleRun is a run of two servers and of a peer on another machine, whose CPU time is
// unknown.
func sampleRun() *Run {
	run := &Run{
		Scenario: "requests", Unit: "request", Baseline: "bare",
		Settings: Settings{Rounds: 6, Seconds: 3.5, Warmup: 0.3, Connections: 64, Tokens: 200},
		Machine:  Machine{OS: "linux", Arch: "amd64", CPU: "Test <CPU>", CPUs: 2, Go: "go1.26.8", Version: "wxgate v1.0.0"},
		Targets:  []string{"bare", "guarded", "peer <&>"},
	}
	for i := range run.Settings.Rounds {
		drift := float64(i)
		run.Rounds = append(run.Rounds,
			Round{i + 1, "bare", sampleValues(100+drift, 10000-10*drift)},
			Round{i + 1, "guarded", sampleValues(102.5+drift, 9800-5*drift)},
			Round{i + 1, "peer <&>", map[Metric]float64{Operations: 30000, Seconds: 3.5, Throughput: 8571 + drift, P50: 6000, P99: 12000}},
		)
	}
	return run
}

func sampleValues(cpu, throughput float64) map[Metric]float64 {
	return map[Metric]float64{
		Operations: math.Round(3.5 * throughput), Seconds: 3.5, Throughput: throughput, CPU: cpu, P50: 5000, P99: 15000 + cpu,
		LoadCPU: 20, UpstreamCPU: 25, Anonymous: 30 << 20, Resident: 80 << 20,
	}
}

// idleRun is a run of the scenario idle.
func idleRun() *Run {
	run := sampleRun()
	run.Scenario, run.Unit, run.Targets = "idle", "start", run.Targets[:2]
	run.Settings = Settings{Rounds: 1, Seconds: 1, Sessions: 1_000_000, Revocations: 5}
	run.Rounds = []Round{
		{1, "bare", map[Metric]float64{Ready: 40, StartCPU: 30, Anonymous: 10 << 20, Resident: 60 << 20}},
		{1, "guarded", map[Metric]float64{Ready: 50, StartCPU: 40, Anonymous: 12 << 20, Resident: 62 << 20, StoreFile: 128 << 10}},
	}
	return run
}

// remoteRun is a run of only the peer.
func remoteRun() *Run {
	run := sampleRun()
	run.Targets, run.Baseline, run.Settings.Rate = run.Targets[2:], run.Targets[2], 500
	run.Rounds = slices.DeleteFunc(run.Rounds, func(r Round) bool { return r.Target != run.Baseline })
	return run
}

// The golden files are the documents of docs/performance.md. Write them with
//
//	go test ./internal/bench/report -update
func TestReports(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"requests.txt":  sampleRun().WriteTable,
		"requests.json": sampleRun().WriteJSON,
		"requests.csv":  sampleRun().WriteCSV,
		"requests.svg":  sampleRun().WriteSVG,
		"idle.txt":      idleRun().WriteTable,
		"idle.svg":      idleRun().WriteSVG,
		"remote.txt":    remoteRun().WriteTable,
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

// TestReportsAreWellFormed parses the written reports.
func TestReportsAreWellFormed(t *testing.T) {
	var text bytes.Buffer
	if err := sampleRun().WriteSVG(&text); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(&text)
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the plot is not XML: %v", err)
		}
	}

	text.Reset()
	if err := sampleRun().WriteCSV(&text); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&text).ReadAll()
	if err != nil || len(rows) != 19 {
		t.Errorf("%d rows of CSV, want 19 (%v)", len(rows), err)
	}

	text.Reset()
	if err := sampleRun().WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Rounds    []Round
		Summaries []Summary
	}
	if err := json.Unmarshal(text.Bytes(), &document); err != nil || len(document.Rounds) != 18 {
		t.Errorf("%d rounds in JSON, want 18 (%v)", len(document.Rounds), err)
	}
	if len(document.Summaries) != 25 {
		t.Errorf("%d summaries in JSON, want 25", len(document.Summaries))
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestReportsReturnWriteErrors(t *testing.T) {
	run := sampleRun()
	for name, write := range map[string]func(io.Writer) error{"table": run.WriteTable, "JSON": run.WriteJSON, "CSV": run.WriteCSV, "SVG": run.WriteSVG} {
		if err := write(fullDisk{}); !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want %v", name, err, errFull)
		}
	}
}

// An axis has a tick at both ends, few of them, and room for every value.
func TestAxis(t *testing.T) {
	for _, test := range []struct{ low, high float64 }{{100, 145}, {22, 30.5}, {0.001, 0.0012}, {8571, 10000}, {5, 5}, {0, 0}, {10, 10}} {
		a := newAxis(test.low, test.high)
		ticks := a.ticks()
		if len(ticks) < 2 || len(ticks) > 15 {
			t.Errorf("%v: %d ticks", test, len(ticks))
		}
		for _, v := range []float64{test.low, test.high} {
			if x := a.at(v); x < plotLeft || x > plotRight {
				t.Errorf("%v: %g is at %g, outside the plot", test, v, x)
			}
		}
		if first, last := ticks[0], ticks[len(ticks)-1]; first.X != plotLeft || last.X != plotRight {
			t.Errorf("%v: ticks from %+v to %+v", test, first, last)
		}
		for _, tick := range ticks {
			v, err := strconv.ParseFloat(tick.Label, 64)
			if err != nil || math.Abs(a.at(v)-tick.X) > 0.2 {
				t.Errorf("%v: the label %q is at %g (%v)", test, tick.Label, tick.X, err)
			}
		}
	}
}
