package wechatsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// help is what GET / says.
const help = `wechatsim: the management side of a simulated WeChat. User members everywhere:
appid (default: the first app), openid, or user (a name that stands for an openid).
The API has WeChat at its root and its siblings below /qq, /douyin, /kuaishou, /xiaohongshu and /wecom.
Every GET takes its members as a query; unknown members are refused.

GET    /code                 a login code, as text       unionid, session_key, corpid (of wecom)
POST   /codes                the same, as JSON
GET    /phone-code           a phone code, as text       phone, country
POST   /phone-codes          the same, as JSON
GET    /encrypted-phone      {"encrypted_data","iv"}     phone, country, session_key, iv, watermark_appid, watermark_timestamp
GET    /encrypted-profile    {"encrypted_data","iv","raw_data","signature"}
POST   /encrypt              {"encryptedData","iv",...}  kind: phone | profile | json; profile, json, exact
GET    /session-key          the current session_key, as text
POST   /session-key/rotate   a new one, as text
DELETE /session-key          87007 from now on
POST   /high-risk            40226 from now on           high_risk (default true)
POST   /expire-tokens        42001 for every access_token
GET    /component-token      what its token service says   component
GET    /clock                {"now"}
POST   /clock                {"advance":"5m"}
GET    /requests             what the API has seen       path
DELETE /requests
GET    /faults               what is armed
POST   /faults               {"path","kind","times","delay","probability","after","errcode","location"}
DELETE /faults
`

// A manage is one management call: it answers with a value for JSON, with a
// string for plain text, or with nil for 204.
type manage func(*Sim, *http.Request) (any, error)

// Management is the side of a simulator that WeChat does not have. It answers
// loopback peers only: whoever reaches it can log in as anyone.
func (s *Sim) Management() http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range map[string]manage{
		"GET /{$}":                 func(*Sim, *http.Request) (any, error) { return help, nil },
		"GET /code":                manageCodeText,
		"POST /codes":              manageCode,
		"GET /phone-code":          managePhoneCodeText,
		"POST /phone-codes":        managePhoneCode,
		"GET /encrypted-phone":     manageEncryptedPhone,
		"GET /encrypted-profile":   manageEncryptedProfile,
		"POST /encrypt":            manageEncrypt,
		"GET /session-key":         manageSessionKey,
		"POST /session-key/rotate": manageRotate,
		"DELETE /session-key":      manageDrop,
		"POST /high-risk":          manageHighRisk,
		"POST /expire-tokens":      manageExpire,
		"GET /component-token":     manageComponentToken,
		"GET /clock":               manageNow,
		"POST /clock":              manageAdvance,
		"GET /requests":            manageRequests,
		"DELETE /requests":         manageClearRequests,
		"GET /faults":              manageFaults,
		"POST /faults":             manageArm,
		"DELETE /faults":           manageClearFaults,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.manage(w, r, do) })
	}
	return loopbackOnly(mux)
}

// loopbackOnly refuses peers that are not this machine, and names in Host that
// a web page elsewhere could have pointed at it (DNS rebinding).
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !isLoopback(peer) || !isLoopback(hostname(r.Host)) {
			http.Error(w, "the simulator's management side is for this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is the Host header without a port, which it need not have.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// manage runs one call and writes what it returns.
func (s *Sim) manage(w http.ResponseWriter, r *http.Request, do manage) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	v, err := do(s, r)
	switch text, isText := v.(string); {
	case errors.Is(err, ErrNoSessionKey):
		http.Error(w, err.Error()+": the user must log in first", http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case isText:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, text) // no newline: not every client is a $(...)
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(marshalPlain(v))
	}
}

// input reads a call's members into v: the JSON body of a POST, the query of
// anything else. A word that v does not have is an error: a mistyped openid
// must not become the default user's.
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
		raw = marshalPlain(members)
	}
	if len(raw) == 0 {
		return nil
	}
	if err := unmarshalStrict(raw, v); err != nil {
		return fmt.Errorf("reading input: %w", err)
	}
	return nil
}

func manageExpire(s *Sim, _ *http.Request) (any, error) {
	s.ExpireTokens()
	return nil, nil
}

func manageNow(s *Sim, _ *http.Request) (any, error) {
	return map[string]time.Time{"now": s.Now()}, nil
}

func manageAdvance(s *Sim, r *http.Request) (any, error) {
	var in struct {
		Advance string `json:"advance"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(in.Advance)
	if err != nil {
		return nil, fmt.Errorf("reading advance: %w", err)
	}
	if d < 0 {
		return nil, fmt.Errorf("reading advance: %v is negative, time does not run back", d)
	}
	s.Advance(d)
	return manageNow(s, r)
}

func manageRequests(s *Sim, r *http.Request) (any, error) {
	var in struct {
		Path string `json:"path"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	if in.Path == "" {
		return s.Requests(), nil
	}
	return s.Requests(in.Path), nil
}

func manageClearRequests(s *Sim, _ *http.Request) (any, error) {
	s.ClearRequests()
	return nil, nil
}

// unmarshalStrict is json.Unmarshal that refuses unknown members.
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
