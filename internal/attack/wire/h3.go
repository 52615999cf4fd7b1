package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// Frame and stream types of RFC 9114.
const (
	h3Data     = 0x0
	h3Headers  = 0x1
	h3Settings = 0x4
	h3Control  = 0x0 // stream type

	h3NoError = quic.ApplicationErrorCode(0x100)
)

// sendH3 writes frames itself on a QUIC stream, for the same reason as sendH2.
func (c *Client) sendH3(ctx context.Context, r *Request) (*Response, error) {
	conn, err := quic.DialAddr(ctx, c.Host, c.quicTLS(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	defer func() { _ = conn.CloseWithError(h3NoError, "") }()
	return exchangeH3(ctx, conn, r, c.Host)
}

// exchangeH3 sends one request on a connection and reads the response.
func exchangeH3(ctx context.Context, conn *quic.Conn, r *Request, authority string) (*Response, error) {
	stream, err := requestH3(conn, r, authority)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline() // send set one
	if err := stream.SetReadDeadline(deadline); err != nil {
		return nil, fmt.Errorf("setting a deadline: %w", err)
	}
	return readH3(bufio.NewReader(stream), r.Protocol != "")
}

// requestH3 opens a connection's control stream and writes a request.
func requestH3(conn *quic.Conn, r *Request, authority string) (*quic.Stream, error) {
	control, err := conn.OpenUniStream()
	if err != nil {
		return nil, fmt.Errorf("opening the control stream: %w", err)
	}
	if _, err := control.Write([]byte{h3Control, h3Settings, 0}); err != nil {
		return nil, fmt.Errorf("sending settings: %w", err)
	}
	stream, err := conn.OpenStream()
	if err != nil {
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	message := h3Frame(nil, h3Headers, h3Block(r.block(authority)))
	if r.Body != "" {
		message = h3Frame(message, h3Data, []byte(r.Body))
	}
	if len(r.Trailer) > 0 {
		var trailer []Field
		for _, f := range r.Trailer {
			trailer = append(trailer, r.lower(f))
		}
		message = h3Frame(message, h3Headers, h3Block(trailer))
	}
	// A gateway may stop reading early; its response has the reason.
	_, _ = stream.Write(message)
	if r.Protocol == "" {
		_ = stream.Close() // the request is complete
	}
	return stream, nil
}

func h3Frame(b []byte, kind uint64, payload []byte) []byte {
	b = quicvarint.Append(b, kind)
	b = quicvarint.Append(b, uint64(len(payload)))
	return append(b, payload...)
}

// h3Block encodes every field as a literal with a literal name (RFC 9204 section 4.5.6),
// so that names are sent unchanged.
func h3Block(fields []Field) []byte {
	const literalName = 0x20
	b := []byte{0, 0} // no dynamic table
	for _, f := range fields {
		b = prefixed(b, literalName, 3, uint64(len(f.Name)))
		b = append(b, f.Name...)
		b = prefixed(b, 0, 7, uint64(len(f.Value)))
		b = append(b, f.Value...)
	}
	return b
}

// prefixed appends an integer as HPACK and QPACK write it (RFC 7541 section 5.1).
func prefixed(b []byte, first byte, bits uint, n uint64) []byte {
	limit := uint64(1)<<bits - 1
	if n < limit {
		return append(b, first|byte(n)) //nolint:gosec // G115: below the prefix's limit
	}
	b = append(b, first|byte(limit)) //nolint:gosec // G115: at most eight bits
	n -= limit
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// readH3 reads the frames of a response up to the end of the stream. With headOnly, for
// tunnels, it reads only the headers.
func readH3(in *bufio.Reader, headOnly bool) (*Response, error) {
	var response *Response
	for {
		kind, err := quicvarint.Read(in)
		if errors.Is(err, io.EOF) && response != nil {
			return response, nil
		}
		if err != nil {
			return response, fmt.Errorf("reading the response: %w", err)
		}
		length, err := quicvarint.Read(in)
		if err != nil || length > maxResponse {
			return response, fmt.Errorf("reading a frame of the response: %d bytes: %w", length, err)
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return response, fmt.Errorf("reading a frame of the response: %w", err)
		}
		switch {
		case kind == h3Headers && response == nil:
			if response, err = decodeH3(payload); err != nil || headOnly {
				return response, err
			}
		case kind == h3Data && response != nil && len(response.Body) < maxResponse:
			response.Body += string(payload)
		}
	}
}

func decodeH3(block []byte) (*Response, error) {
	response := &Response{}
	next := qpack.NewDecoder().Decode(block)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			return response, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decoding the response's header: %w", err)
		}
		if f.Name != ":status" {
			response.Header = append(response.Header, Field{f.Name, f.Value})
			continue
		}
		if response.Status, err = strconv.Atoi(f.Value); err != nil {
			return nil, fmt.Errorf("reading the response's status: %w", err)
		}
	}
}
