package attack

import (
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/url"
)

var (
	errCut           = errors.New("the run was cut short")
	errNotApplicable = errors.New("nothing to attack")
	errNotLoopback   = errors.New("only loopback targets are attacked, unless the operator says that the gateway is theirs")
)

// Target is the gateway to attack, and what its configuration calls things. The
// gateway must proxy to the echo; [Caddyfile] shows the routes that it needs.
type Target struct {
	URL      string // http or https, host and port
	Insecure bool   // do not verify the gateway's certificate
	// Own says that the gateway is the operator's, so that it need not be on
	// loopback.
	Own bool

	Identity string // header with the caller's identity
	Absent   string // header for a claim that the attack user's token lacks
	Reserved string // prefix of header names that only the gateway writes; "" for none

	Guarded  string // below it, a token is needed
	Public   string // below it, none
	Optional string // below it, as one likes
	Phone    string // below it, more is needed than the attack user has
	Broken   string // below it, the proxy fails and an error route asks the echo
	Login    string // where a code becomes a token
	Refresh  string // where a refresh token becomes an access token
	Decode   string // where encrypted data is decrypted
	KeySet   string // where the public keys are

	Token   string // of the attack user, or
	Code    string // a login code, or
	CodeURL string // where a GET answers a fresh one
	// Signer is the gateway's own signing key, for attacks with tokens that are
	// signed well and say wrong things.
	Signer crypto.Signer
}

// Defaults fills in what wxgate is called and [Caddyfile] has.
func (t *Target) Defaults() {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&t.Identity, "X-WX-OPENID"}, {&t.Absent, "X-WX-UNIONID"}, {&t.Reserved, "X-WX-"},
		{&t.Guarded, "/guarded/"}, {&t.Public, "/public/"}, {&t.Optional, "/optional/"},
		{&t.Phone, "/phone/"}, {&t.Broken, "/broken/"},
		{&t.Login, "/v1.0/pub/openId"}, {&t.Refresh, "/v1.0/pub/refresh"}, {&t.Decode, "/v1.0/pub/decode"}, {&t.KeySet, "/.well-known/jwks.json"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
}

// Caddyfile is the configuration under which every attack has its subject.
const Caddyfile = `
wxgate {
	public   /public/*
	optional /optional/*
	require  phone on /phone/*
	headers {
		assertion X-WX-ASSERTION the-echo
	}
}
handle /broken/* {
	reverse_proxy 127.0.0.1:1
}
handle {
	reverse_proxy <the echo>
}
handle_errors {
	reverse_proxy <the echo>
}
`

// address is the gateway's host and port.
func (t *Target) address() (host string, secure bool, err error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false, fmt.Errorf("the gateway's URL %q: write http://host:port or https://host:port", t.URL)
	}
	host, secure = u.Host, u.Scheme == "https"
	if u.Port() == "" {
		port := "80"
		if secure {
			port = "443"
		}
		host = net.JoinHostPort(u.Hostname(), port)
	}
	if !t.Own && !isLoopback(host) {
		return "", false, fmt.Errorf("%s: %w", host, errNotLoopback)
	}
	return host, secure, nil
}

func isLoopback(hostport string) bool {
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
