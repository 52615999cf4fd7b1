package transport_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
)

// TestAllocations limits the allocations of every request, most of them for the response of
// net/http. It does not run in parallel: allocations of other tests would be counted.
func TestAllocations(t *testing.T) {
	s := newOwn(t)
	url := serveRaw(t, func(_ int, conn net.Conn, requests *bufio.Reader) {
		response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		for { // without an allocation
			line, err := requests.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == len("\r\n") {
				_, _ = conn.Write(response)
			}
		}
	})
	r := request(t, http.MethodGet, url, "User-Agent", "MicroMessenger")
	body := make([]byte, 10)
	exchange := func() {
		response, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(response.Body, body); n != 2 || err == nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	exchange()
	if allocs := testing.AllocsPerRun(1000, exchange); allocs > maxAllocs {
		t.Errorf("%v allocations, at most %d are allowed", allocs, maxAllocs)
	}
}
