package corpus

import (
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/upstream"
	"github.com/wxgate/wxgate/internal/attack/wire"
)

var (
	// ErrNotApplicable means that the gateway does not have the attacked feature.
	ErrNotApplicable = errors.New("nothing to attack")
	errNotLoopback   = errors.New("only loopback targets are attacked; set --i-own-this-gateway if the gateway is yours")
)

// Target is the gateway to attack, with the names in its configuration. The gateway must
// proxy to the echo; [Caddyfile] shows the routes that it needs.
type Target struct {
	URL      string // http or https, host and port
	Insecure bool   // do not verify the gateway's certificate
	// Own confirms that the gateway is the operator's; it may then be on another machine.
	Own bool

	Identity string // header with the caller's identity
	Absent   string // header for a claim that the attack user's token lacks
	Reserved string // prefix of header names that only the gateway sets; "" for no prefix

	Guarded  string // prefix of paths that require a token
	Public   string // prefix of paths that require no token
	Optional string // prefix of paths where a token is optional
	Phone    string // prefix of paths that require a phone number
	Broken   string // prefix of paths where the proxy fails and an error route calls the echo
	Login    string // path of the login
	Refresh  string // path of the refresh
	Decode   string // path of the decryption
	KeySet   string // path of the public keys
	Browsers string // path below which the calls of browsers are

	Token   string // of the attack user, or
	Code    string // a login code, or
	CodeURL string // URL whose GET returns a new one
	// Cookie is the session cookie of the attack user's browser, as name=value. Honest
	// requests have it in place of the token.
	Cookie string
	Origin string // of the site's pages; default URL
	// Signer is the gateway's signing key, for attacks with well-signed tokens that have
	// invalid content.
	Signer crypto.Signer
}

// Defaults sets the names of wxgate and of [Caddyfile].
func (t *Target) Defaults() {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&t.Identity, "X-WX-OPENID"}, {&t.Absent, "X-WX-UNIONID"}, {&t.Reserved, "X-WX-"},
		{&t.Guarded, "/guarded/"}, {&t.Public, "/public/"}, {&t.Optional, "/optional/"},
		{&t.Phone, "/phone/"}, {&t.Broken, "/broken/"},
		{&t.Login, "/v1.0/pub/openId"}, {&t.Refresh, "/v1.0/pub/refresh"}, {&t.Decode, "/v1.0/pub/decode"}, {&t.KeySet, "/.well-known/jwks.json"}, {&t.Browsers, "/v1.0/pub/web"}, {&t.Origin, t.URL},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
}

// Caddyfile is a configuration with all routes that are attacked.
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

// Address returns the gateway's host and port.
func (t *Target) Address() (host string, secure bool, err error) {
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
	if !t.Own && !wire.IsLoopback(host) {
		return "", false, fmt.Errorf("%s: %w", host, errNotLoopback)
	}
	return host, secure, nil
}

// readsAsIdentity reports whether some server reads a header of this name as one of the
// gateway's.
func (t *Target) readsAsIdentity(name string) bool {
	b := upstream.Bare(name)
	return t.Reserved != "" && strings.HasPrefix(b, upstream.Bare(t.Reserved)) || b == upstream.Bare(t.Identity) || b == upstream.Bare(t.Absent)
}
