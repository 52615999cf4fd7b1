package corpus

import (
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// removalAttacks: `Connection: close, X-WX-OPENID` makes a proxy remove, as hop-by-hop, the
// headers that the gateway has set. The upstream then gets a request of an authenticated route
// without a user.
func removalAttacks(t *Target) []Attack {
	lower := strings.ToLower(t.Identity)
	var out []Attack
	add := func(id string, header ...wire.Field) {
		out = append(out, Attack{
			ID: "removal/" + id, Mechanism: removalMechanism, Protocols: h1Only,
			Needs: []Control{Admitted}, Request: get(t.Guarded+"removal", header...), Judge: vanished,
		})
	}
	connection := func(id string, values ...string) {
		var header []wire.Field
		for _, v := range values {
			header = append(header, field("Connection", v))
		}
		add(id, header...)
	}
	for _, s := range spellings(t.Identity) {
		switch s.id {
		case "lower", "upper", "mixed":
			connection("connection-"+s.id, s.name)
			connection("connection-close-"+s.id, "close, "+s.name)
		}
	}
	connection("keep-alive-first", "keep-alive,"+lower)
	connection("in-the-middle", "keep-alive, "+lower+", close")
	connection("second-header", "keep-alive", lower)
	connection("third-header", "keep-alive", "close", t.Identity)
	connection("tabs", "\tkeep-alive\t,\t"+lower+"\t")
	connection("empty-elements", ",,"+lower+",,")
	connection("quoted", `"`+t.Identity+`"`)
	connection("underscores", strings.ReplaceAll(t.Identity, "-", "_"))
	connection("forwarded-for", "close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host")
	connection("cookie", "close, Cookie, "+lower)
	connection("with-upgrade", "Upgrade, "+lower)
	add("lower-case-connection", field("connection", lower))
	add("keep-alive-header", field("Connection", "keep-alive"), field("Keep-Alive", lower))
	add("proxy-connection", field("Proxy-Connection", "keep-alive, "+lower))
	add("te", field("Connection", "te"), field("TE", lower))
	add("trailer", field("Trailer", t.Identity))
	add("websocket",
		field("Connection", "Upgrade, "+t.Identity), field("Upgrade", "websocket"),
		field("Sec-WebSocket-Version", "13"), field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
	for _, name := range []string{"APPID", "SOURCE", "SESSION", "ASSERTION"} {
		if t.Reserved != "" {
			connection("reserved-"+strings.ToLower(name), "close, "+t.Reserved+name)
		}
	}
	fold := get("")
	fold.Raw = "GET " + t.Guarded + "removal HTTP/1.1\r\nHost: {host}\r\nX-Attack: {marker}\r\nAuthorization: Bearer {token}\r\nConnection: keep-alive,\r\n " + lower + "\r\n\r\n"
	return append(out, Attack{
		ID: "removal/obs-fold", Mechanism: removalMechanism, Protocols: h1Only, Needs: []Control{Admitted}, Request: fold, Judge: vanished,
	})
}

// removalFrameAttacks: HTTP/2 and HTTP/3 have no Connection header; a gateway that accepts
// one must ignore it.
func removalFrameAttacks(t *Target) []Attack {
	lower := strings.ToLower(t.Identity)
	var out []Attack
	for _, f := range []wire.Field{
		field("connection", lower), field("connection", "close, "+lower), field("proxy-connection", lower), field("keep-alive", lower),
		field("te", lower), field("te", "trailers, "+lower), field("trailer", lower),
	} {
		out = append(out, Attack{
			ID:        "removal/frame-" + f.Name + "-" + strings.NewReplacer(" ", "", ",", "-").Replace(f.Value),
			Mechanism: removalMechanism, Protocols: multiplexed, Needs: []Control{Admitted},
			Request: get(t.Guarded+"removal", f), Judge: vanished,
		})
	}
	return out
}
