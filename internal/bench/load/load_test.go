package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs the upstream until the test ends and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := ServeUpstream(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait() })
	return listener.Addr().String()
}

var errWrong = errors.New("wrong response")

// caller sends its name as the openid.
type caller struct {
	name, header string
	calls        atomic.Int64
	called       chan struct{} // if set, receives after each response
	body         string        // expected; default: the greeting and its name
}

func (c *caller) Append(buf []byte) ([]byte, error) {
	return fmt.Appendf(buf, "GET / HTTP/1.1\r\nHost: test\r\n%sX-WX-OPENID: %s\r\n\r\n", c.header, c.name), nil
}

func (c *caller) Check(status int, body []byte) error {
	want := c.body
	if want == "" {
		want = Greeting + c.name
	}
	if status != http.StatusOK || string(body) != want {
		return fmt.Errorf("%w: %d %q", errWrong, status, body)
	}
	c.calls.Add(1)
	if c.called != nil {
		select {
		case c.called <- struct{}{}:
		default:
		}
	}
	return nil
}

func callers(n int) ([]*caller, []Caller) {
	all, out := make([]*caller, n), make([]Caller, n)
	for i := range all {
		all[i] = &caller{name: fmt.Sprintf("user%d", i), called: make(chan struct{}, 1)}
		out[i] = all[i]
	}
	return all, out
}

// await waits until every caller had a response that came after the call.
func await(callers []*caller) {
	for range 2 { // the first may belong to an earlier response
		for _, c := range callers {
			<-c.called
		}
	}
}

// Only requests that complete between Measure and Stop are counted, on every connection.
func TestLoadCountsTheMeasuredPart(t *testing.T) {
	all, cs := callers(4)
	began := time.Now() // a request that was running when the measured part began is counted
	l := Start(t.Context(), Config{Address: serve(t), Callers: cs, Timeout: time.Minute})
	await(all)
	warm := int64(0)
	for _, c := range all {
		warm += c.calls.Load()
	}
	l.Measure()
	await(all)
	l.Stop()
	result, err := l.Wait()
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, c := range all {
		total += c.calls.Load()
	}
	if n := int64(result.Operations); n < 4 || n > total-warm {
		t.Errorf("%d operations of %d, of which %d came first", n, total, warm)
	}
	if len(result.Latencies) != result.Operations || result.Elapsed <= 0 {
		t.Errorf("%d latencies in %v", len(result.Latencies), result.Elapsed)
	}
	p50, p99 := result.Quantile(0.5), result.Quantile(0.99)
	if took := time.Since(began); p50 <= 0 || p99 < p50 || p99 > took {
		t.Errorf("p50 %v, p99 %v of %v", p50, p99, took)
	}
}

// With a rate, the last of n requests starts (n-1)/rate after the first.
func TestLoadKeepsTheRate(t *testing.T) {
	all, cs := callers(4)
	const rate = 1000
	began := time.Now()
	l := Start(t.Context(), Config{Address: serve(t), Callers: cs, Rate: rate, Timeout: time.Minute})
	l.Measure()
	await(all)
	l.Stop()
	result, err := l.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if most := rate*time.Since(began).Seconds() + 1; float64(result.Operations) > most {
		t.Errorf("%d requests, at most %g were due", result.Operations, most)
	}
}

// The first wrong response ends the load.
func TestLoadFails(t *testing.T) {
	_, cs := callers(3)
	cs = append(cs, &caller{name: "other", body: "expected"})
	l := Start(t.Context(), Config{Address: serve(t), Callers: cs, Timeout: time.Minute})
	<-l.Failed()
	l.Stop()
	if _, err := l.Wait(); !errors.Is(err, errWrong) {
		t.Errorf("%v, want %v", err, errWrong)
	}
}

// A server that does not respond ends the load after its timeout, and a canceled context at
// once.
func TestLoadEnds(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	address := strings.TrimPrefix(silent.URL, "http://")
	for name, test := range map[string]struct {
		timeout time.Duration
		want    error
	}{"timeout": {time.Millisecond, context.DeadlineExceeded}, "canceled": {time.Minute, context.Canceled}} {
		ctx, cancel := context.WithCancel(t.Context())
		_, cs := callers(2)
		l := Start(ctx, Config{Address: address, Callers: cs, Timeout: test.timeout})
		if errors.Is(test.want, context.Canceled) {
			cancel()
		}
		<-l.Failed()
		l.Stop()
		if _, err := l.Wait(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		cancel()
	}
}

// A connection that the server closes after a response is opened again.
func TestLoadReconnects(t *testing.T) {
	all, cs := callers(1)
	all[0].header = "Connection: close\r\n"
	all[0].body = "gone"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "gone") }))
	defer server.Close()
	l := Start(t.Context(), Config{Address: strings.TrimPrefix(server.URL, "http://"), Callers: cs, Timeout: time.Minute})
	await(all)
	l.Stop()
	if _, err := l.Wait(); err != nil {
		t.Error(err)
	}
}

func TestOnce(t *testing.T) {
	if err := Once(t.Context(), serve(t), &caller{name: "alice"}); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := Once(t.Context(), l.Addr().String(), &caller{name: "alice"}); err == nil || !strings.Contains(err.Error(), "connecting") {
		t.Errorf("no server listens: %v", err)
	}
}

// As a process, the upstream ends with its standard input.
func TestRunUpstreamEndsWithItsInput(t *testing.T) {
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- RunUpstream(t.Context(), "127.0.0.1:0", in) }()
	_ = out.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := RunUpstream(t.Context(), "127.0.0.1:nonsense", in); err == nil {
		t.Error("an address without a port was accepted")
	}
}
