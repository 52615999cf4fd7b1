package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	const pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
`
	const closing = `{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	for _, row := range []struct {
		name, in, want string
		ok             bool
	}{
		{"passed", pass + closing, "ok  \tp\t0.1s\n1 passed, 0 failed, 0 skipped\n", true},
		{"no tests ran", closing, "ok  \tp\t0.1s\n0 passed, 0 failed, 0 skipped\n", false},
		{"nothing at all", "", "0 passed, 0 failed, 0 skipped\n", false},
		{"a package without tests", pass + closing + `{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`, "ok  \tp\t0.1s\n?   \tq\t[no test files]\n1 passed, 0 failed, 0 skipped\n", true},
		{"skipped", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: needs redis-server\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
` + closing, "ok  \tp\t0.1s\np\n    b_test.go:1: needs redis-server\n--- SKIP: TestB (0.00s)\n" +
			"Skipped tests ran nothing: .ci/run installs what they need, so they must not skip there.\n" +
			"1 passed, 0 failed, 1 skipped\n", false},
		{"failed", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: got 2, want 1\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, "    b_test.go:1: got 2, want 1\n--- FAIL: TestB (0.00s)\n" +
			"FAIL\nFAIL\tp\t0.1s\nTestB: b_test.go:1: got 2, want 1\n1 passed, 1 failed, 0 skipped\n", false},
		{"panicked", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"panic: oops\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, "panic: oops\nFAIL\tp\t0.1s\n1 passed, 0 failed, 0 skipped\n", false},
		{"did not build", pass + closing + `{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}
{"ImportPath":"q","Action":"build-fail"}
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q"}
`, "ok  \tp\t0.1s\nq.go:1: syntax error\nFAIL\tq [build failed]\n1 passed, 0 failed, 0 skipped\n", false},
		{"not an event", "go: no such module\n" + pass + closing,
			"go: no such module\nok  \tp\t0.1s\n1 passed, 0 failed, 0 skipped\n", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			ok, err := report(strings.NewReader(row.in), &out)
			if err != nil {
				t.Fatal(err)
			}
			if ok != row.ok || out.String() != row.want {
				t.Errorf("report = %v\n%swant %v\n%s", ok, out.String(), row.ok, row.want)
			}
		})
	}
}
