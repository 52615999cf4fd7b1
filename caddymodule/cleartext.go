package caddymodule

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// errCleartext is a URL that would send a secret unencrypted over public networks.
var errCleartext = errors.New("would send secrets unencrypted: http is only accepted for loopback and private addresses, and for names without a domain; use https")

// refuseCleartext refuses an http URL to a public host. Requests to it carry the
// AppSecret, login codes or access tokens, which anyone on the way could read and
// use: CWE-319.
func refuseCleartext(u *url.URL) error {
	if u.Scheme == "http" && !privateHost(u.Hostname()) {
		return errCleartext
	}
	return nil
}

// privateHost reports whether a host is on this machine or on a private network, as
// far as its name says. Names are not looked up: a name without a dot, as containers
// have, is in no public zone.
func privateHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	_, zone, dotted := strings.Cut(host, ".")
	if !dotted {
		return host != ""
	}
	zone = zone[strings.LastIndex(zone, ".")+1:]
	return zone == "localhost" || zone == "local" || zone == "internal" || strings.HasSuffix(host, ".home.arpa")
}
