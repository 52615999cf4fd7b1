package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// h2Stream is the only stream of a connection.
	h2Stream = 1
	// h2FrameBytes is the frame size that every peer accepts (RFC 9113 section 4.2).
	h2FrameBytes = 16 << 10 // 16 KiB
	// h2Window is the body that may be sent without waiting (section 6.9.2).
	h2Window = 65535
	// h2TableBytes is the header table's default size.
	h2TableBytes = 4096
)

// sendH2 writes frames itself, so that it can send names and values that other clients
// refuse to send.
func (c *Client) sendH2(ctx context.Context, r *Request) (*Response, error) {
	conn, err := c.dial(ctx, alpnH2)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, fmt.Errorf("sending the preface: %w", err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	if err := framer.WriteSettings(); err != nil {
		return nil, fmt.Errorf("sending settings: %w", err)
	}
	// Read the response even after an error: the gateway may have refused the headers
	// already.
	sendErr := writeH2(framer, r, c.Host)
	response, err := readH2(framer, r.Protocol != "")
	if response != nil {
		return response, err
	}
	return nil, errors.Join(err, sendErr)
}

func writeH2(framer *http2.Framer, r *Request, authority string) error {
	body := r.Body[:min(len(r.Body), h2Window)]
	bare := body == "" && len(r.Trailer) == 0 && !r.Chunked && r.Protocol == ""
	if err := writeH2Block(framer, r.block(authority), bare); err != nil || bare || r.Protocol != "" {
		return err
	}
	for len(body) > h2FrameBytes {
		if err := framer.WriteData(h2Stream, false, []byte(body[:h2FrameBytes])); err != nil {
			return err
		}
		body = body[h2FrameBytes:]
	}
	if err := framer.WriteData(h2Stream, len(r.Trailer) == 0, []byte(body)); err != nil || len(r.Trailer) == 0 {
		return err
	}
	var trailer []Field
	for _, f := range r.Trailer {
		trailer = append(trailer, r.lower(f))
	}
	return writeH2Block(framer, trailer, true)
}

// writeH2Block writes one header section in one or more frames.
func writeH2Block(framer *http2.Framer, fields []Field, end bool) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
			return err
		}
	}
	first := block.Next(h2FrameBytes)
	err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: h2Stream, BlockFragment: first, EndStream: end, EndHeaders: block.Len() == 0,
	})
	for err == nil && block.Len() > 0 {
		next := block.Next(h2FrameBytes)
		err = framer.WriteContinuation(h2Stream, block.Len() == 0, next)
	}
	return err
}

// readH2 reads frames until the end of the response, or until the stream or the
// connection ends. With headOnly, for tunnels, it reads only the headers.
func readH2(framer *http2.Framer, headOnly bool) (*Response, error) {
	framer.ReadMetaHeaders = hpack.NewDecoder(h2TableBytes, nil)
	var response *Response
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return response, fmt.Errorf("reading the response: %w", err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			head := headOf(f)
			if head == nil { // trailers
				return response, nil
			}
			if response = head; f.StreamEnded() || headOnly {
				return response, nil
			}
		case *http2.DataFrame:
			if response != nil && len(response.Body) < maxResponse {
				response.Body += string(f.Data())
			}
			if f.StreamEnded() {
				return response, nil
			}
		case *http2.RSTStreamFrame:
			return response, fmt.Errorf("the stream was reset: %v", f.ErrCode)
		case *http2.GoAwayFrame:
			return response, fmt.Errorf("the connection was closed: %v", f.ErrCode)
		case *http2.SettingsFrame:
			acknowledge(framer, f)
		}
	}
}

// acknowledge acknowledges settings. It ignores errors, which the next read returns.
func acknowledge(framer *http2.Framer, f *http2.SettingsFrame) {
	if !f.IsAck() {
		_ = framer.WriteSettingsAck()
	}
}

// headOf returns the status and the headers of a response; nil for trailers.
func headOf(f *http2.MetaHeadersFrame) *Response {
	status, err := strconv.Atoi(f.PseudoValue("status"))
	if err != nil {
		return nil
	}
	response := &Response{Status: status}
	for _, field := range f.RegularFields() {
		response.Header = append(response.Header, Field{field.Name, field.Value})
	}
	return response
}
