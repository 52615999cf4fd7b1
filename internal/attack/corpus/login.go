package corpus

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// overCap is the length of a body that no login needs: an attacker can fill the memory of
// a gateway that reads it completely.
const overCap = 1 << 20 // 1 MiB

// loginAttacks: the login API is open to every client, uses WeChat's daily quota, and
// returns tokens.
func loginAttacks(t *Target) []Attack {
	var out []Attack
	add := func(id string, judge func(*Evidence) string, request wire.Request, advisories ...string) {
		out = append(out, Attack{
			ID: "login/" + id, Mechanism: loginMechanism, Advisories: advisories, Needs: []Control{canLogin}, Request: request, Judge: judge,
		})
	}
	post := func(body string) wire.Request {
		return wire.Request{Method: "POST", Path: t.Login, Header: []wire.Field{jsonBody}, Body: body}
	}
	const strict = "RFC 8259 section 4"
	add("over-cap", loggedIn, post(`{"code":"{code}","pad":"`+strings.Repeat("x", overCap)+`"}`), "CVE-2026-26998")
	streamedBody := post(`{"code":"{code}","pad":"` + strings.Repeat("x", overCap) + `"}`)
	streamedBody.Chunked = true
	add("over-cap-chunked", loggedIn, streamedBody, "CVE-2026-26998")
	add("duplicate-good-last", loggedIn, post(`{"code":"0","code":"{code}"}`), strict)
	add("duplicate-good-first", loggedIn, post(`{"code":"{code}","code":"0"}`), strict)
	add("duplicate-escaped", loggedIn, post(`{"code":"0","\u0063ode":"{code}"}`), strict)
	add("case-variant", loggedIn, post(`{"CODE":"{code}"}`), strict)
	add("case-variant-too", loggedIn, post(`{"code":"0","Code":"{code}"}`), strict)
	add("two-appids", loggedIn, post(`{"code":"{code}","appid":"wxa","appId":"wxb"}`))
	add("other-app", loggedIn, post(`{"code":"{code}","appid":"wxffffffffffffffff"}`))
	add("trailing-data", loggedIn, post(`{"code":"{code}"}{"code":"0"}`), strict)
	add("array", loggedIn, post(`[{"code":"{code}"}]`))
	add("not-utf8", loggedIn, post("{\"code\":\"{code}\",\"x\":\"\xff\"}"), strict)
	add("comment", loggedIn, post(`{/**/"code":"{code}"}`), strict)
	add("form", loggedIn, wire.Request{Method: "POST", Path: t.Login, Header: []wire.Field{field("Content-Type", "application/x-www-form-urlencoded")}, Body: "code={code}"})
	add("get", loggedIn, wire.Request{Path: t.Login + "?code={code}"})
	add("put", loggedIn, wire.Request{Method: "PUT", Path: t.Login, Header: []wire.Field{jsonBody}, Body: `{"code":"{code}"}`})
	add("path-variant", func(e *Evidence) string { return either(loggedIn(e), served(e)) },
		wire.Request{Method: "POST", Path: t.Login + "/%2e", Header: []wire.Field{jsonBody}, Body: `{"code":"{code}"}`})
	add("made-up-code", loggedIn, post(`{"code":"made-up"}`))
	add("session-key", rawSessionKey, post(`{"code":"{code}"}`))
	add("cacheable", cacheable, post(`{"code":"{code}"}`), "RFC 6749 section 5.1")
	add("forwarded", served, post(`{"code":"{code}"}`))
	add("spoofed", impersonated, wire.Request{Method: "POST", Path: t.Login, Header: append(everySpelling(t), jsonBody), Body: `{"code":"{code}"}`})
	out = append(out, Attack{
		ID: "login/code-twice", Mechanism: loginMechanism, Needs: []Control{canLogin},
		Before: []wire.Request{post(`{"code":"{code}"}`)}, Request: post(`{"code":"{code}"}`), Judge: loggedIn,
	})
	return out
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sessionKeyBytes is the length of WeChat's session_key.
const sessionKeyBytes = 16

// rawSessionKey: the login returns WeChat's session_key, with which a client can forge
// phone numbers.
func rawSessionKey(e *Evidence) string {
	var granted struct {
		Snake string `json:"session_key"`
		Camel string `json:"sessionKey"`
	}
	if e.Response == nil || json.Unmarshal([]byte(e.Response.Body), &granted) != nil {
		return ""
	}
	for _, key := range []string{granted.Snake, granted.Camel} {
		if raw, err := base64.StdEncoding.DecodeString(key); err == nil && len(raw) == sessionKeyBytes {
			return "session_key is 16 bytes in base64, as WeChat's are"
		}
	}
	return ""
}

// cacheable: a cache may store the token.
func cacheable(e *Evidence) string {
	if e.Response == nil || e.Response.Status != http.StatusOK || strings.Contains(e.Response.Get("Cache-Control"), "no-store") {
		return ""
	}
	return "the response with the token may be cached: Cache-Control is " + e.Response.Get("Cache-Control")
}
