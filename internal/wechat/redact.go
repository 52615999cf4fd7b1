package wechat

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
)

// cause says why a request failed, in words that come from below HTTP: addresses,
// host names, certificates. Anything else is named, never quoted, because it may
// hold the URL or what a broken proxy echoed of it, and with it the app secret.
func cause(err error) string {
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
		return "the connection was closed before the end of the answer"
	default:
		return "no HTTP answer"
	}
}

// maxMessageBytes caps what is kept of WeChat's errmsg: with its request id it
// is under 200.
const maxMessageBytes = 512

// cleanMessage makes one harmless line of an errmsg.
func cleanMessage(s string) string {
	if len(s) > maxMessageBytes {
		s = s[:maxMessageBytes]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == del {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// redact takes the request's secrets out of what the platform said about it, and
// cleans the rest. It cuts last: what is cut in two is not found any more.
func redact(err error, secrets []string) error {
	platform, ok := platformErrorOf(err)
	if !ok {
		return err
	}
	message := platform.Message
	for _, secret := range secrets {
		for _, spelling := range []string{secret, url.QueryEscape(secret)} {
			if spelling != "" {
				message = strings.ReplaceAll(message, spelling, "[redacted]")
			}
		}
	}
	platform.Message = cleanMessage(message)
	return err
}
