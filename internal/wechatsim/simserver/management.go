package simserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/serving"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver/page"
)

// help is the response to GET /.
const help = `wechatsim: the management side of a simulated WeChat. A browser gets the same as a page here.
User members everywhere: appid (default: the first app), openid, or user (a name instead of an openid).
The API has WeChat at its root and its siblings below /qq, /douyin, /kuaishou, /xiaohongshu and /wecom.
Every GET takes its members as a query; unknown members are refused.

GET    /about                where the API is, its paths, and the kinds of faults
GET    /apps                 the apps, with their secrets and where the API of each is
GET    /users                the users that were added or named by a call, with their session_key
GET    /code                 a login code, as text       unionid, session_key, corpid (of wecom)
POST   /codes                the same, as JSON
GET    /phone-code           a phone code, as text       phone, country
POST   /phone-codes          the same, as JSON
GET    /plugin-code          a plugin's code, as text    host (the appid of the mini program)
POST   /plugin-codes         the same, as JSON
GET    /web-code             a code of a web login, as text  appid (default: the first official account), scope
POST   /web-codes            the same, as JSON        snapshot (true: the virtual user of a snapshot)
POST   /userinfo-only        the unionid of a web login only from userinfo  appid, userinfo_only (default true)
GET    /wxacodes             what getwxacodeunlimit made: {"appid","page","scene",...}, for a phone to scan
GET    /encrypted-phone      {"encrypted_data","iv"}     phone, country, session_key, iv, watermark_appid, watermark_timestamp
GET    /encrypted-profile    {"encrypted_data","iv","raw_data","signature"}
POST   /encrypt              {"encryptedData","iv",...}  kind: phone | profile | json; profile, json, exact
GET    /session-key          the current session_key, as text
POST   /session-key/rotate   a new one, as text
DELETE /session-key          87007 from now on
POST   /high-risk            40226 from now on           high_risk (default true)
POST   /risk-rank            what getuserriskrank says   risk_rank (0 to 4, default 0)
POST   /prefetch             WeChat's GET of the data    url, token (default: a login code), path, query, scene, customMiniprogramVersion
POST   /expire-tokens        42001 for every access_token
GET    /component-token      what its token service says   component
GET    /api-security         {"encrypt","sign","verify"}, as the console shows the keys of an app with API security
POST   /api-security         the same, with new keys: plain requests of calls that support it are refused from now on
POST   /api-security/certificate  begins a change of WeChat's certificate, or ends it
GET    /clock                {"now"}
POST   /clock                {"advance":"5m"}
GET    /requests             what the API has seen       path, limit (the newest so many)
DELETE /requests
GET    /push-targets         where the messages of each app go
POST   /push-targets         {"appid","url","token","encoding_aes_key","mode","format"}  mode: plain | compatible | secure; format: json | xml
POST   /push                 a message or event       type, value, message; it is sent up to three times, until it is acknowledged
GET    /pushes               what was pushed, with each attempt and the decrypted reply
GET    /faults               what is armed
POST   /faults               {"path","kind","times","delay","probability","after","errcode","location"}
DELETE /faults
`

// maxBody is the longest request body that is read.
const maxBody = 1 << 20

// A call is one management call. It returns a value for JSON, a string for plain text,
// or nil for 204.
type call func(*wechatsim.Sim, *http.Request) (any, error)

// Management returns the handler of a simulator's management side, which WeChat does
// not have; api is the URL of the API. It serves loopback peers only: a client that reaches
// it can log in as any user. It refuses requests that another site's page makes, except for
// GET, whose responses such a page cannot read (cross-site request forgery).
func Management(s *wechatsim.Sim, api string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /page/", page.Files("/page/"))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if page.Wanted(r) {
			page.Index(w, r)
			return
		}
		serve(s, w, r, func(*wechatsim.Sim, *http.Request) (any, error) { return help, nil })
	})
	for pattern, do := range calls(api, simpush.NewConsole(s)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { serve(s, w, r, do) })
	}
	return loopbackOnly(http.NewCrossOriginProtection().Handler(mux))
}

// calls are the management calls, by method and path.
func calls(api string, pusher *simpush.Console) map[string]call {
	return map[string]call{
		"GET /about":                     func(*wechatsim.Sim, *http.Request) (any, error) { return about(api), nil },
		"GET /apps":                      func(s *wechatsim.Sim, _ *http.Request) (any, error) { return apps(s, api), nil },
		"GET /users":                     users,
		"GET /code":                      codeText,
		"POST /codes":                    code,
		"GET /phone-code":                phoneCodeText,
		"POST /phone-codes":              phoneCode,
		"GET /plugin-code":               pluginCodeText,
		"POST /plugin-codes":             pluginCode,
		"GET /web-code":                  webCodeText,
		"POST /web-codes":                webCode,
		"POST /userinfo-only":            userInfoOnly,
		"GET /wxacodes":                  programCodes,
		"GET /encrypted-phone":           encryptedPhone,
		"GET /encrypted-profile":         encryptedProfile,
		"POST /encrypt":                  encrypt,
		"GET /session-key":               sessionKey,
		"POST /session-key/rotate":       rotate,
		"DELETE /session-key":            drop,
		"POST /high-risk":                highRisk,
		"POST /risk-rank":                riskRank,
		"POST /prefetch":                 prefetch,
		"POST /expire-tokens":            expire,
		"GET /component-token":           componentToken,
		"GET /api-security":              aboutSecurity((*wechatsim.Sim).SecurityConsole),
		"POST /api-security":             aboutSecurity(secure),
		"POST /api-security/certificate": aboutSecurity(changeCertificate),
		"GET /clock":                     now,
		"POST /clock":                    advance,
		"GET /requests":                  requests,
		"DELETE /requests":               clearRequests,
		"GET /push-targets":              func(*wechatsim.Sim, *http.Request) (any, error) { return pushTargets(pusher), nil },
		"POST /push-targets":             func(_ *wechatsim.Sim, r *http.Request) (any, error) { return setPushTarget(pusher, r) },
		"POST /push":                     func(_ *wechatsim.Sim, r *http.Request) (any, error) { return push(pusher, r) },
		"GET /pushes":                    func(*wechatsim.Sim, *http.Request) (any, error) { return pusher.Pushes(), nil },
		"GET /faults":                    faults,
		"POST /faults":                   arm,
		"DELETE /faults":                 clearFaults,
	}
}

// loopbackOnly refuses peers that are not this machine, and Host headers with a name
// that an attacker's web page could have pointed at it (DNS rebinding).
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !serving.IsLoopback(peer) || !serving.IsLoopback(hostname(r.Host)) {
			http.Error(w, "the simulator's management side is for this machine only", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff") // a text is never read as HTML
		next.ServeHTTP(w, r)
	})
}

// hostname returns a Host header without its port, if it has one.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// serve runs one call and writes its result.
func serve(s *wechatsim.Sim, w http.ResponseWriter, r *http.Request, do call) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	v, err := do(s, r)
	switch text, isText := v.(string); {
	case errors.Is(err, wechatsim.ErrUnknownApp):
		http.Error(w, err.Error()+"; GET /apps lists the apps, and the components are those of --config", http.StatusBadRequest)
	case errors.Is(err, wechatsim.ErrNoSessionKey):
		http.Error(w, err.Error()+": the user must log in first", http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case isText:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, text) // no newline, which only a shell would remove
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(protocol.JSON(v))
	}
}

// input reads the members of a call into v: from the JSON body of a POST, and otherwise
// from the query. An unknown member is an error: after a typing mistake in "openid" the
// call would be about the default user.
func input(r *http.Request, v any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("reading input: %w", err)
	}
	if r.Method != http.MethodPost {
		members := make(map[string]string)
		for name, values := range r.URL.Query() {
			members[name] = values[0]
		}
		raw = protocol.JSON(members)
	}
	if len(raw) == 0 {
		return nil
	}
	if err := unmarshalStrict(raw, v); err != nil {
		return fmt.Errorf("reading input: %w; %s", err, inputHelp(r, raw))
	}
	return nil
}

// inputHelp says what the input of a call is.
func inputHelp(r *http.Request, raw []byte) string {
	if r.Method == http.MethodPost && !json.Valid(raw) {
		return `the body must be JSON, such as {"user": "alice"}`
	}
	return "GET / lists the members of each call"
}

// unmarshalStrict is json.Unmarshal but refuses unknown members.
func unmarshalStrict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something after the JSON value")
	}
	return nil
}
