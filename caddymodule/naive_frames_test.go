package caddymodule_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// serveFrames serves the naive gateway over HTTP/2 and HTTP/3, on one port.
func (n *naive) serveFrames(t *testing.T) string {
	t.Helper()
	config := naiveTLS(t)
	l, err := tls.Listen("tcp", freeAddr(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go n.h2(c)
		}
	}()
	datagrams, err := quic.ListenAddr(l.Addr().String(), config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = datagrams.Close() })
	go func() {
		for {
			c, err := datagrams.Accept(context.Background())
			if err != nil {
				return
			}
			go n.h3(c)
		}
	}()
	return l.Addr().String()
}

func naiveTLS(t *testing.T) *tls.Config {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}, NextProtos: []string{"h2", "h3", "http/1.1"}}
}

func (n *naive) h2(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(naiveTimeout))
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(c, c)
	_ = framer.WriteSettings()
	decoder := hpack.NewDecoder(4096, nil)
	var sections [][]naiveField
	var block, body []byte
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		ended, headed := false, false
		switch f := frame.(type) {
		case *http2.HeadersFrame:
			block, ended, headed = append([]byte{}, f.HeaderBlockFragment()...), f.StreamEnded(), f.HeadersEnded()
		case *http2.ContinuationFrame:
			block, headed = append(block, f.HeaderBlockFragment()...), f.HeadersEnded()
		case *http2.DataFrame:
			body, ended = append(body, f.Data()...), f.StreamEnded()
		}
		if headed {
			var section []naiveField
			fields, _ := decoder.DecodeFull(block)
			for _, f := range fields {
				section = append(section, naiveField{f.Name, f.Value})
				ended = ended || f.Name == ":protocol"
			}
			sections = append(sections, section)
		}
		if ended && len(sections) > 0 {
			break
		}
	}
	status := n.exchange(sections[0], body, trailerOf(sections))
	var out bytes.Buffer
	_ = hpack.NewEncoder(&out).WriteField(hpack.HeaderField{Name: ":status", Value: status})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: out.Bytes(), EndStream: true, EndHeaders: true})
	_, _ = io.Copy(io.Discard, c) // the client closes
}

func trailerOf(sections [][]naiveField) []naiveField {
	if len(sections) > 1 {
		return sections[1]
	}
	return nil
}

func (n *naive) h3(c *quic.Conn) {
	stream, err := c.AcceptStream(context.Background())
	if err != nil {
		return
	}
	_ = stream.SetDeadline(time.Now().Add(naiveTimeout))
	in := bufio.NewReader(stream)
	var sections [][]naiveField
	var body []byte
	for {
		kind, err := quicvarint.Read(in)
		if err != nil {
			break
		}
		length, err := quicvarint.Read(in)
		if err != nil || length > 1<<20 {
			return
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		if kind == 0 {
			body = append(body, payload...)
			continue
		}
		section, tunnel := decodeNaive(payload)
		if sections = append(sections, section); tunnel {
			break
		}
	}
	if len(sections) == 0 {
		return
	}
	status := n.exchange(sections[0], body, trailerOf(sections))
	var block bytes.Buffer
	_ = qpack.NewEncoder(&block).WriteField(qpack.HeaderField{Name: ":status", Value: status})
	_, _ = stream.Write(append([]byte{1, byte(block.Len())}, block.Bytes()...))
	_ = stream.Close()
	<-c.Context().Done()
}

func decodeNaive(block []byte) (section []naiveField, tunnel bool) {
	next := qpack.NewDecoder().Decode(block)
	for {
		f, err := next()
		if err != nil {
			return section, tunnel
		}
		section = append(section, naiveField{f.Name, f.Value})
		tunnel = tunnel || f.Name == ":protocol"
	}
}
