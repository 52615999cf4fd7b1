package corpus

import (
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// identityAttacks: `GET /guarded/x` with an honest token and, in every spelling, a header
// that some servers read as the gateway's.
func identityAttacks(t *Target) []Attack {
	var out []Attack
	add := func(id string, advisories []string, header ...wire.Field) {
		out = append(out, Attack{
			ID: "identity/" + id, Mechanism: identityMechanism, Advisories: advisories,
			Needs: []Control{Admitted}, Request: get(t.Guarded+"identity", header...), Judge: impersonated,
		})
	}
	for _, s := range spellings(t.Identity) {
		add(s.id, adviceFor(s.id), field(s.name, "{victim}"))
	}
	add("repeated", nil, field(t.Identity, "{victim}"), field(t.Identity, "{victim}"), field(strings.ToLower(t.Identity), "{victim}"))
	add("list", nil, field(t.Identity, "someone, {victim}"))
	for _, s := range spellings(t.Absent) {
		add("absent-"+s.id, []string{"CVE-2026-30851"}, field(s.name, "{victim}"))
	}
	if t.Reserved != "" {
		for _, s := range spellings(t.Reserved + "Anything-New") {
			add("reserved-"+s.id, adviceFor(s.id), field(s.name, "{victim}"))
		}
	}
	return out
}

func adviceFor(spelling string) []string {
	switch {
	case strings.Contains(spelling, "underscore"):
		return []string{"CVE-2025-64484", "CVE-2026-52845"}
	case spelling == "mark-.":
		return []string{"GHSA-49wc-4hcv-v58q"}
	case strings.HasPrefix(spelling, "mark-"):
		return []string{"php/frankenphp#2561"}
	}
	return nil
}

// everySpelling returns all of them, for one request.
func everySpelling(t *Target) []wire.Field {
	var out []wire.Field
	for _, name := range []string{t.Identity, t.Absent} {
		for _, s := range spellings(name) {
			out = append(out, field(s.name, "{victim}"))
		}
	}
	if t.Reserved != "" {
		out = append(out, field(t.Reserved+"Anything-New", "{victim}"))
	}
	return out
}

// identityRouteAttacks: every spelling at once, on each route through a gateway other than
// a request with a token.
func identityRouteAttacks(t *Target) []Attack {
	var out []Attack
	all := everySpelling(t)
	preflight := slices.Concat([]wire.Field{field("Origin", "https://h5.example.com"), field("Access-Control-Request-Method", "GET")}, all)
	for _, route := range []struct {
		id      string
		need    Control
		request wire.Request
	}{
		{"public", public, anonymous(t.Public+"identity", all...)},
		{"public-with-token", public, get(t.Public+"identity", all...)},
		{"optional-anonymous", optional, anonymous(t.Optional+"identity", all...)},
		{"optional-with-token", optional, get(t.Optional+"identity", all...)},
		{"preflight", guarded, wire.Request{Method: "OPTIONS", Path: t.Guarded + "identity", Header: preflight}},
		{"preflight-public", public, wire.Request{Method: "OPTIONS", Path: t.Public + "identity", Header: preflight}},
		{"refused", guarded, anonymous(t.Guarded+"identity", all...)},
		{"bad-token", guarded, anonymous(t.Guarded+"identity", slices.Concat(all, []wire.Field{bearer("nonsense")})...)},
		{"not-found", Admitted, get(t.Login+"/no-such-call", all...)},
		{"post", streamed, wire.Request{Method: "POST", Path: t.Guarded + "identity", Header: slices.Concat(all, []wire.Field{bearer("{token}")}), Body: "x", Chunked: true}},
		{"head", Admitted, wire.Request{Method: "HEAD", Path: t.Guarded + "identity", Header: slices.Concat(all, []wire.Field{bearer("{token}")})}},
		{"websocket", websocket, handshake(t.Guarded+"identity", all...)},
	} {
		a := Attack{
			ID: "identity/on-" + route.id, Mechanism: identityMechanism,
			Needs: []Control{route.need}, Request: route.request, Judge: impersonated,
		}
		if route.id == "websocket" {
			a.Protocols = h1Only
		}
		out = append(out, a)
	}
	return out
}

// identityTrailerAttacks: an identity after the body, which some servers add to the
// headers. `0\r\nX-WX-OPENID: victim\r\n\r\n`.
func identityTrailerAttacks(t *Target) []Attack {
	var out []Attack
	for _, v := range []struct {
		id       string
		declared bool
		name     string
	}{
		{"trailer", false, t.Identity}, {"trailer-declared", true, t.Identity},
		{"trailer-underscore", false, strings.ReplaceAll(t.Identity, "-", "_")},
		{"trailer-underscore-declared", true, strings.ReplaceAll(t.Identity, "-", "_")},
		{"trailer-lower-declared", true, strings.ToLower(t.Identity)},
	} {
		for _, route := range []struct {
			id, path string
			need     Control
			header   []wire.Field
		}{
			{"", t.Guarded, streamed, []wire.Field{bearer("{token}")}},
			{"-on-public", t.Public, public, nil},
		} {
			header := route.header
			if v.declared {
				header = slices.Concat(header, []wire.Field{field("Trailer", v.name)})
			}
			out = append(out, Attack{
				ID: "identity/" + v.id + route.id, Mechanism: identityMechanism, Needs: []Control{route.need}, Judge: impersonated,
				Request: wire.Request{
					Method: "POST", Path: route.path + "trailer", Header: header, Body: "hello", Chunked: true,
					Trailer: []wire.Field{field(v.name, "{victim}")},
				},
			})
		}
	}
	return out
}

// identityFrameAttacks: names and values that only raw bytes or frames can contain.
func identityFrameAttacks(t *Target) []Attack {
	var out []Attack
	raw := func(id, lines string) {
		out = append(out, Attack{
			ID: "identity/" + id, Mechanism: identityMechanism, Protocols: h1Only, Needs: []Control{Admitted}, Judge: impersonated,
			Request: wire.Request{Raw: "GET " + t.Guarded + "identity HTTP/1.1\r\nHost: {host}\r\nX-Attack: {marker}\r\nAuthorization: Bearer {token}\r\n" + lines + "\r\n"},
		})
	}
	raw("obs-fold-name", "X-Other: a\r\n "+t.Identity+": {victim}\r\n")
	raw("obs-fold-value", t.Identity+":\r\n {victim}\r\n")
	raw("obs-fold-tab", "X-Other: a\r\n\t"+t.Identity+": {victim}\r\n")
	raw("space-before-colon", t.Identity+" : {victim}\r\n")
	raw("tab-before-colon", t.Identity+"\t: {victim}\r\n")
	raw("leading-space", "X-Other: a\r\n"+" "+t.Identity+": {victim}\r\n")
	raw("bare-cr", "X-Other: a\r"+t.Identity+": {victim}\r\n")
	raw("bare-lf", "X-Other: a\n"+t.Identity+": {victim}\n")
	raw("nul-in-name", t.Identity+"\x00: {victim}\r\n")
	raw("nul-in-value", "X-Other: a\x00\r\n"+t.Identity+": {victim}\r\n")
	raw("vertical-tab", t.Identity+"\v: {victim}\r\n")
	raw("high-byte", t.Identity+"\xa0: {victim}\r\n")
	raw("first-line-fold", "") // with the header before Host, below
	out[len(out)-1].Request.Raw = "GET " + t.Guarded + "identity HTTP/1.1\r\n " + t.Identity + ": {victim}\r\nHost: {host}\r\nX-Attack: {marker}\r\nAuthorization: Bearer {token}\r\n\r\n"

	frame := func(id string, header ...wire.Field) {
		request := get(t.Guarded+"identity", header...)
		request.Header[0].Name = "authorization"
		request.Verbatim = true
		out = append(out, Attack{
			ID: "identity/" + id, Mechanism: identityMechanism, Protocols: multiplexed, Needs: []Control{Admitted}, Request: request, Judge: impersonated,
		})
	}
	lower := strings.ToLower(t.Identity)
	frame("frame-upper-case", field(t.Identity, "{victim}"))
	frame("frame-newline-in-value", field("x-other", "a\r\n"+t.Identity+": {victim}"))
	frame("frame-newline-in-name", field("x-other: a\r\n"+lower, "{victim}"))
	frame("frame-colon-in-name", field(lower+":", "{victim}"))
	frame("frame-space-in-name", field(lower+" ", "{victim}"))
	frame("frame-nul-in-name", field(lower+"\x00", "{victim}"))
	frame("frame-as-pseudo", field(":"+lower, "{victim}"))
	return out
}

// errorAttacks: if the proxy fails, an error route calls another server, which must see
// neither the token nor an identity.
func errorAttacks(t *Target) []Attack {
	return []Attack{
		{
			ID: "errors/own-identity", Mechanism: errorMechanism, Needs: []Control{errorPath}, Judge: leaked,
			Request: get(t.Broken + "errors"),
		},
		{
			ID: "errors/spoofed", Mechanism: errorMechanism, Needs: []Control{errorPath}, Judge: leaked,
			Request: get(t.Broken+"errors", everySpelling(t)...),
		},
	}
}
