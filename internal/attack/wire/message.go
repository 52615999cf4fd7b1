package wire

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // required by RFC 6455; nothing is secret here
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
)

const (
	// maxHead bounds a header section, to twice the limit of common gateways.
	maxHead = 2 << 20 // 2 MiB
	// maxBody bounds a body.
	maxBody = 8 << 20 // 8 MiB
	// maxKept is how much of a body is recorded.
	maxKept = 4 << 10 // 4 KiB
)

var errMalformed = errors.New("malformed message at the echo")

// readHead reads a request line and header lines without checking them: the attacks
// judge how another server would read an odd line.
func readHead(in *bufio.Reader) (*Seen, error) {
	budget := maxHead
	first, err := readLine(in, &budget)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(first, " ", 3)
	switch len(parts) {
	case 2: // HTTP/0.9, which has no headers
		return &Seen{Method: parts[0], Target: parts[1], Proto: "HTTP/0.9"}, nil
	case 1:
		return nil, errMalformed
	}
	s := &Seen{Method: parts[0], Target: parts[1], Proto: parts[2]}
	s.Lines, err = readLines(in, &budget)
	return s, err
}

// readLines reads up to an empty line.
func readLines(in *bufio.Reader, budget *int) ([]string, error) {
	var lines []string
	for {
		line, err := readLine(in, budget)
		if err != nil || line == "" {
			return lines, err
		}
		lines = append(lines, line)
	}
}

func readLine(in *bufio.Reader, budget *int) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if *budget -= len(part); *budget < 0 {
			return "", errMalformed
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
	}
}

// readBody reads the body as a lenient server does: chunked overrides a length.
func readBody(in *bufio.Reader, s *Seen) (kept string, trailer []string, err error) {
	if strings.Contains(strings.ToLower(strings.Join(s.All("Transfer-Encoding"), ",")), "chunked") {
		return readChunked(in)
	}
	length := s.First("Content-Length")
	if length == "" {
		return "", nil, nil
	}
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil || n < 0 || n > maxBody {
		return "", nil, errMalformed
	}
	kept, err = keep(in, n)
	return kept, nil, err
}

func readChunked(in *bufio.Reader) (kept string, trailer []string, err error) {
	budget := maxBody
	for {
		line, err := readLine(in, &budget)
		if err != nil {
			return kept, nil, err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
		if err != nil || n < 0 || n > int64(budget) {
			return kept, nil, errMalformed
		}
		if n == 0 {
			trailer, err = readLines(in, &budget)
			return kept, trailer, err
		}
		part, err := keep(in, n)
		if err != nil {
			return kept, nil, err
		}
		budget -= int(n)
		if len(kept) < maxKept {
			kept += part
		}
		if _, err := readLine(in, &budget); err != nil {
			return kept, nil, err
		}
	}
}

// keep reads n bytes and returns their beginning.
func keep(in *bufio.Reader, n int64) (string, error) {
	var b strings.Builder
	_, err := io.CopyN(&b, in, min(n, maxKept))
	if err == nil {
		_, err = io.CopyN(io.Discard, in, n-min(n, maxKept))
	}
	return b.String(), err
}

// All returns the values of a header, ignoring the case of its name.
func (s *Seen) All(name string) []string {
	var values []string
	for _, line := range s.Lines {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// First returns the first value of a header; "" if there is none.
func (s *Seen) First(name string) string {
	if values := s.All(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// webSocketAccept is the response to a Sec-WebSocket-Key (RFC 6455 section 4.2.2).
func webSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// IsLoopback reports whether a host and port is on this machine.
func IsLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
