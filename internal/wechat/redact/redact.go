// Package redact keeps the secrets of requests out of errors.
package redact

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// Cause describes why a request failed. It quotes only errors of the layers below HTTP, about
// addresses, host names and certificates. Any other error may contain the URL, or a part that a
// broken proxy echoed, and with it the app secret.
func Cause(err error) string {
	var (
		dns         *net.DNSError
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &certificate):
		return "certificate not trusted"
	case errors.As(err, &dns):
		return dns.Error()
	case errors.As(err, &operation):
		return operation.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the end of the response"
	default:
		return "no HTTP response"
	}
}

// maxMessageBytes bounds how much of WeChat's errmsg is kept; with its request ID an
// errmsg has under 200 bytes.
const maxMessageBytes = 512

// cleanMessage turns an errmsg into one line of valid UTF-8, so that it cannot forge log
// lines.
func cleanMessage(s string) string {
	if len(s) > maxMessageBytes {
		s = s[:maxMessageBytes]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '\x7f' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// Message removes the request's secrets from the platform's error message, and cleans
// it. It truncates last: part of a secret would not be found.
func Message(err error, secrets []string) error {
	refusal, ok := errors.AsType[*auth.PlatformError](err)
	if !ok {
		return err
	}
	message := refusal.Message
	for _, secret := range secrets {
		for _, spelling := range []string{secret, url.QueryEscape(secret)} {
			if spelling != "" {
				message = strings.ReplaceAll(message, spelling, "[redacted]")
			}
		}
	}
	refusal.Message = cleanMessage(message)
	return err
}
