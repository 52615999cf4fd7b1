package caddymodule_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"
)

func init() {
	caddy.RegisterModule(weak{})
	for name, after := range map[string]bool{"weak_before": false, "weak_after": true} {
		httpcaddyfile.RegisterHandlerDirective(name, func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
			w := &weak{After: after}
			if h.Next(); !h.AllArgs(&w.Mechanism) {
				return nil, h.ArgErr()
			}
			return w, nil
		})
	}
	httpcaddyfile.RegisterDirectiveOrder("weak_before", httpcaddyfile.Before, "try_files")
	httpcaddyfile.RegisterDirectiveOrder("weak_after", httpcaddyfile.After, "basic_auth")
}

// weak disables one defense of the wxgate between its two halves, as in a gateway of a published
// advisory. The second half restores what the first half hides from wxgate.
type weak struct {
	Mechanism string `json:"mechanism"`
	After     bool   `json:"after"`
}

func (weak) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.weak", New: func() caddy.Module { return new(weak) }}
}

// sessionEnded makes the next request fail as if its session had ended.
var sessionEnded atomic.Bool

// hidden is the original request, which the first half stores for the second.
type hidden struct {
	method, uri, proto string
	url                url.URL
	header, trailer    http.Header
}

const hiddenVar = "weak"

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (w *weak) ServeHTTP(rw http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if w.After {
		h, _ := caddyhttp.GetVar(r.Context(), hiddenVar).(*hidden)
		w.restore(r, h)
		return next.ServeHTTP(rw, r)
	}
	h := &hidden{r.Method, r.RequestURI, r.Proto, *r.URL, r.Header.Clone(), r.Trailer}
	caddyhttp.SetVar(r.Context(), hiddenVar, h)
	token, _ := weakToken.Load().(string)
	switch w.Mechanism {
	case "identity":
		// A refused request goes to an error route, with all of the client's headers.
		if r.Method == http.MethodOptions || !strings.Contains(r.Header.Get("Authorization"), ".") && r.Header.Get("X-Wx-Openid") != "" {
			pretend(r, "/public/naive")
			deleteAll(r.Header, "Origin", "Authorization")
		}
	case "upgrade":
		deleteAll(r.Header, "Upgrade", "Http2-Settings", ":protocol")
		if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
			r.Method, r.Proto = http.MethodGet, "HTTP/1.1"
			if r.URL.Path == "" {
				r.URL.Path = guardedByWeak
			}
			r.Header.Set("Authorization", "Bearer "+token) // tunnels are not authenticated
		}
	case "early":
		r.Header.Del("Early-Data")
		if r.TLS != nil {
			state := *r.TLS
			state.HandshakeComplete = true
			r.TLS = &state
		}
	case "path":
		if !strings.HasPrefix(r.URL.Path, apiByWeak) && naivelyPublic(r) {
			pretend(r, "/public/naive")
			r.Method = http.MethodGet
			deleteAll(r.Header, "Authorization", "Upgrade")
		}
	case "policy":
		if r.RequestURI != "/phone/control" && !strings.HasPrefix(r.URL.Path, apiByWeak) {
			pretend(r, guardedByWeak)
		}
	case "token":
		w.trust(r, token)
	case "several":
		w.choose(r, token)
	case "login":
		if strings.HasPrefix(r.URL.Path, apiByWeak+"openId") && r.Header.Get(honestHeader) == "" {
			return naiveLogin(rw, r)
		}
		// A refresh token that was never issued ends the session that it names.
		switch {
		case r.URL.Path == apiByWeak+"refresh" && r.ContentLength > int64(len(`{"refresh_token":"made-up"}`)):
			sessionEnded.Store(true)
		case strings.HasPrefix(r.URL.Path, "/guarded/") && sessionEnded.Swap(false):
			rw.WriteHeader(http.StatusUnauthorized)
			return nil
		}
	case "oracle":
		if r.URL.Path == apiByWeak+"decode" {
			rw.Header().Set("Content-Type", "application/problem+json")
			rw.WriteHeader(http.StatusBadRequest)
			return nil
		}
	case "errors":
		err := next.ServeHTTP(rw, r)
		r.Header = h.header // restores the original headers
		r.Header.Set("X-Wx-Openid", "somebody")
		return err
	}
	return next.ServeHTTP(rw, r)
}

const (
	apiByWeak     = "/v1.0/pub/"
	guardedByWeak = "/guarded/naive"
)

// restore restores what the first half hid from wxgate.
func (w *weak) restore(r *http.Request, h *hidden) {
	switch w.Mechanism {
	case "identity":
		for name, values := range h.header {
			if !strings.EqualFold(name, "Authorization") && !httpguts.HeaderValuesContainsToken([]string{name}, "Connection") {
				if own := r.Header[name]; len(own) == 0 || !slices.Equal(own, values) {
					r.Header[name] = append(values, own...) // add, not set
				}
			}
		}
		r.Trailer = h.trailer
	case "removal":
		r.Header["Connection"] = h.header["Connection"]
		// As a proxy that reads every hop-by-hop header as a list of names.
		for _, hop := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te"} {
			removeNamed(r.Header, h.header[hop])
		}
		for name := range h.trailer {
			delete(r.Header, name)
		}
	case "upgrade":
		for _, name := range []string{"Upgrade", "Connection", "Http2-Settings", ":protocol"} {
			if v, ok := h.header[name]; ok {
				r.Header[name] = v
			}
		}
		if r.Header["Upgrade"] != nil && r.Header["Connection"] == nil {
			r.Header.Set("Connection", "Upgrade")
		}
		if h.method == http.MethodConnect {
			deleteAll(r.Header, ":protocol")
		}
		r.Method = h.method
		if h.method == http.MethodConnect {
			r.Method = "GET" // Caddy's transport sends no CONNECT; it matters only that the request arrives
		}
	case "path", "policy":
		r.URL, r.RequestURI, r.Method = &h.url, h.uri, h.method
		for _, name := range []string{
			"X-Original-Url", "X-Rewrite-Url", "X-Script-Name", "X-Path-Info", "X-Override-Url", "X-Http-Path-Override", "X-Forwarded-Prefix", "Upgrade", "Connection",
		} {
			if v, ok := h.header[name]; ok {
				r.Header[name] = v
			}
		}
	}
}

// removeNamed removes the headers that a list names, quoted or not.
func removeNamed(header http.Header, values []string) {
	for _, token := range strings.FieldsFunc(strings.Join(values, ","), func(r rune) bool { return strings.ContainsRune(", \t\"", r) }) {
		header.Del(strings.ReplaceAll(token, "_", "-"))
	}
}

func deleteAll(header http.Header, names ...string) {
	for _, name := range names {
		delete(header, name)
	}
}

// pretend makes wxgate check another path than the upstream receives.
func pretend(r *http.Request, decided string) {
	r.URL = &url.URL{Path: decided}
	r.RequestURI = decided
}

// trust admits every token, and fetches keys from the URLs in its header.
func (w *weak) trust(r *http.Request, token string) {
	sent := r.Header.Get("Authorization")
	if sent == "" {
		return
	}
	r.Header.Set("Authorization", "Bearer "+token)
	head, _, _ := strings.Cut(strings.TrimPrefix(sent, "Bearer "), ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var keys struct{ JKU, X5U string }
	if err != nil || json.Unmarshal(text, &keys) != nil {
		return
	}
	for _, u := range []string{keys.JKU, keys.X5U} {
		if u != "" {
			if response, err := client.Get(u); err == nil {
				_ = response.Body.Close()
			}
		}
	}
}

// choose uses the valid token of several, wherever it is.
func (w *weak) choose(r *http.Request, token string) {
	if strings.Contains(strings.Join(r.Header["Authorization"], " ")+r.URL.RawQuery, token) {
		r.Header["Authorization"] = []string{"Bearer " + token}
		r.URL.RawQuery = ""
	}
}

// naiveLogin accepts every login, forwards the request to the upstream, and lets the response be
// cached.
func naiveLogin(rw http.ResponseWriter, r *http.Request) error {
	forwarded, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+weakUpstream.Load().(string)+r.URL.Path, bytes.NewReader(nil))
	if err != nil {
		return err
	}
	forwarded.Header = r.Header.Clone()
	deleteAll(forwarded.Header, "Connection", "Trailer", "Te")
	if response, err := client.Do(forwarded); err == nil {
		_ = response.Body.Close()
	}
	_, err = rw.Write([]byte(`{"access_token":"x","session_key":"AAAAAAAAAAAAAAAAAAAAAA=="}`))
	return err
}

var healthCheckers = regexp.MustCompile(`GoogleHC|kube-probe|ELB-HealthChecker`)

// naivelyPublic combines the mistakes of several gateways of published advisories.
func naivelyPublic(r *http.Request) bool {
	uri, decoded := r.RequestURI, r.URL.Path
	for _, open := range []string{"/public", "/optional"} {
		if strings.Contains(strings.ToLower(uri), open) || strings.HasPrefix(path.Clean(decoded), open) {
			return true
		}
	}
	for _, name := range []string{
		"X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Original-Url", "X-Original-Uri", "X-Rewrite-Url",
		"X-Envoy-Original-Path", "X-Request-Uri", "X-Replaced-Path", "Referer",
	} {
		if strings.HasPrefix(r.Header.Get(name), "/public/") {
			return true
		}
	}
	for _, name := range []string{
		"X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Host", "Forwarded", "X-Forwarded-Method", "X-Http-Method-Override", "X-Forwarded-Proto",
		"X-Wx-Openid", "Cookie", "X-Forwarded-User", "Remote-User", "Sec-Websocket-Key", "Access-Control-Request-Method", "Origin",
	} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	sent, ok := r.Header["Authorization"]
	return ok && !strings.HasPrefix(sent[0], "Bearer e") || healthCheckers.MatchString(r.UserAgent()) ||
		!slices.Contains([]string{http.MethodGet, http.MethodPost}, r.Method)
}
