package corpus

import (
	"slices"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// handshake returns an honest WebSocket handshake.
func handshake(path string, header ...wire.Field) wire.Request {
	return get(path, append([]wire.Field{
		field("Connection", "Upgrade"), field("Upgrade", "websocket"),
		field("Sec-WebSocket-Version", "13"), field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
	}, header...)...)
}

// h2cSettings is the HTTP2-Settings of the published attack.
var h2cSettings = field("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")

// upgradeAttacks: if an upstream responds with 101, it opens a tunnel that no rule of the
// gateway applies to; over h2c the attacker sends "x-wx-openid: victim" in it.
func upgradeAttacks(t *Target) []Attack {
	var out []Attack
	add := func(id string, request wire.Request) {
		out = append(out, Attack{
			ID: "upgrade/" + id, Mechanism: upgradeMechanism, Protocols: h1Only,
			Needs: []Control{Admitted}, Request: request, Judge: tunnelled,
		})
	}
	upgrade := func(id string, upgrades []string, more ...wire.Field) {
		header := []wire.Field{field("Connection", "Upgrade")}
		for _, u := range upgrades {
			header = append(header, field("Upgrade", u))
		}
		add(id, get(t.Guarded+"upgrade", append(header, more...)...))
	}
	upgrade("h2c", []string{"h2c"}, h2cSettings)
	upgrade("h2c-upper", []string{"H2C"}, h2cSettings)
	upgrade("h2c-without-settings", []string{"h2c"})
	upgrade("http2", []string{"HTTP/2.0"})
	upgrade("tls", []string{"TLS/1.2"})
	upgrade("spdy", []string{"SPDY/3.1"})
	upgrade("tcp", []string{"tcp"})
	upgrade("connect-udp", []string{"connect-udp"})
	upgrade("anything", []string{"anything"})
	upgrade("two-in-a-list", []string{"websocket, h2c"}, h2cSettings)
	upgrade("two-in-a-list-reversed", []string{"h2c, websocket"}, h2cSettings)
	upgrade("two-headers", []string{"websocket", "h2c"}, h2cSettings)
	upgrade("two-headers-reversed", []string{"h2c", "websocket"}, h2cSettings)
	upgrade("with-a-version", []string{"websocket/13"})
	upgrade("websocket-with-settings", []string{"websocket"}, h2cSettings,
		field("Sec-WebSocket-Version", "13"), field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
	upgrade("empty-then-h2c", []string{"", "h2c"}, h2cSettings)
	add("settings-in-connection", get(t.Guarded+"upgrade", field("Connection", "Upgrade, HTTP2-Settings"), field("Upgrade", "h2c"), h2cSettings))
	add("without-connection", get(t.Guarded+"upgrade", field("Upgrade", "h2c"), h2cSettings))
	add("post", wire.Request{Method: "POST", Path: t.Guarded + "upgrade", Header: []wire.Field{bearer("{token}"), field("Connection", "Upgrade"), field("Upgrade", "h2c"), h2cSettings}, Body: "x"})
	public1 := anonymous(t.Public+"upgrade", field("Connection", "Upgrade"), field("Upgrade", "h2c"), h2cSettings)
	out = append(out, Attack{
		ID: "upgrade/h2c-on-public", Mechanism: upgradeMechanism, Protocols: h1Only, Needs: []Control{public}, Request: public1, Judge: tunnelled,
	})
	return out
}

// tunnelAttacks: CONNECT requests a tunnel; TRACE returns the credentials in the response,
// which scripts may read.
func tunnelAttacks(t *Target) []Attack {
	var out []Attack
	add := func(id string, protocols []wire.Protocol, request wire.Request, judge func(*Evidence) string, needs ...Control) {
		out = append(out, Attack{
			ID: "upgrade/" + id, Mechanism: upgradeMechanism, Protocols: protocols,
			Needs: append(needs, Admitted), Request: request, Judge: judge,
		})
	}
	token := []wire.Field{bearer("{token}")}
	add("trace", nil, wire.Request{Method: "TRACE", Path: t.Guarded + "trace", Header: token}, servedOrOK)
	add("trace-public", nil, wire.Request{Method: "TRACE", Path: t.Public + "trace"}, servedOrOK, public)
	inner := "GET " + t.Guarded + "{smuggled} HTTP/1.1\r\nHost: {upstream}\r\n\r\n"
	add("connect", multiplexed, wire.Request{Method: "CONNECT", Path: "{upstream}", Header: token, Body: inner}, served)
	add("connect-raw", h1Only, wire.Request{Raw: "CONNECT {upstream} HTTP/1.1\r\nHost: {upstream}\r\nX-Attack: {marker}\r\nAuthorization: Bearer {token}\r\n\r\n" + inner}, served)
	add("connect-anonymous", h1Only, wire.Request{Raw: "CONNECT {upstream} HTTP/1.1\r\nHost: {host}\r\nX-Attack: {marker}\r\n\r\n" + inner}, served, guarded)
	add("connect-path", h1Only, wire.Request{Method: "CONNECT", Path: t.Guarded + "connect", Header: token}, served)
	add("extended-connect-udp", multiplexed, wire.Request{Method: "CONNECT", Path: t.Guarded + "connect", Protocol: "connect-udp", Header: token}, served)
	add("extended-connect-h2c", multiplexed, wire.Request{Method: "CONNECT", Path: t.Guarded + "connect", Protocol: "h2c", Header: token}, served)
	add("extended-connect-anonymous", multiplexed, wire.Request{Method: "CONNECT", Path: t.Guarded + "connect", Protocol: "websocket"}, served, guarded)
	add("extended-connect-spoofed", multiplexed, wire.Request{Method: "CONNECT", Path: t.Guarded + "connect", Protocol: "websocket", Header: slices.Concat(token, everySpelling(t))}, impersonated)
	add("frame-upgrade", multiplexed, get(t.Guarded+"upgrade", field("upgrade", "h2c"), field("http2-settings", h2cSettings.Value)), tunnelled)
	add("frame-settings", multiplexed, get(t.Guarded+"upgrade", field("http2-settings", h2cSettings.Value)), tunnelled)
	return out
}

// earlyAttacks: an attacker who records a client's first packets can send them again.
func earlyAttacks(t *Target) []Attack {
	login := *LoginRequest(t, "{code}")
	recorded := login
	recorded.Early = true
	var out []Attack
	// A proxy in front marks a request that it received in early data. Duplicates and other
	// values don't change that (section 5.1).
	for id, values := range map[string][]string{"": {"1"}, "-twice": {"1", "1"}, "-after-zero": {"0", "1"}, "-zero": {"0"}, "-list": {"0, 1"}} {
		marked := login
		marked.Header = slices.Clone(login.Header)
		for _, value := range values {
			marked.Header = append(marked.Header, field("Early-Data", value))
		}
		out = append(out, Attack{
			ID: "early/login-marked" + id, Mechanism: earlyMechanism, Advisories: []string{"RFC 8470 section 5.1"},
			Needs: []Control{canLogin}, Request: marked, Judge: loggedIn,
		})
	}
	return append(
		out,
		Attack{
			// The recorded packets: a login whose handshake is never completed. If the
			// gateway acts on it, the code of the honest login is spent.
			ID: "early/login-recorded", Mechanism: earlyMechanism, Protocols: []wire.Protocol{wire.H3}, Needs: []Control{canLogin, earlyData},
			Before: []wire.Request{{Path: t.Public + "ticket"}}, Request: recorded, After: &login,
			Judge: func(e *Evidence) string {
				if loggedIn(&Evidence{Response: e.After}) == "" {
					return "the login was carried out: its code is spent"
				}
				return ""
			},
		},
	)
}
