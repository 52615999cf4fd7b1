package wechatsim

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// maxBody is the largest request body read, 1 MiB: more than any call here
// needs, so that a mistake in a client cannot fill a test machine's memory.
const maxBody = 1 << 20

// A call is one API request, read whole.
type call struct {
	method string
	path   string
	query  url.Values
	body   []byte
}

// A route is one API call: its method, the errcode for any other, and its code.
type route struct {
	method string
	wrong  int
	answer func(*Sim, call) answer
}

// routes are the paths that are known, of all platforms.
var routes = allRoutes(weixinRoutes, qqRoutes, douyinRoutes, kuaishouRoutes, xiaohongshuRoutes, wecomRoutes)

func allRoutes(parts ...map[string]route) map[string]route {
	all := make(map[string]route)
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// weixinRoutes is WeChat's API.
var weixinRoutes = map[string]route{
	"/sns/jscode2session":              {http.MethodGet, errRequireGet, (*Sim).codeToSession},
	"/sns/component/jscode2session":    {http.MethodGet, errRequireGet, (*Sim).componentCodeToSession},
	"/cgi-bin/token":                   {http.MethodGet, errRequireGet, (*Sim).token},
	"/cgi-bin/stable_token":            {http.MethodPost, errRequirePost, (*Sim).stableToken},
	"/wxa/business/getuserphonenumber": {http.MethodPost, errRequirePost, (*Sim).userPhoneNumber},
	"/wxa/checksession":                {http.MethodGet, errRequireGet, (*Sim).checkSession},
	"/wxa/resetusersessionkey":         {http.MethodGet, errRequireGet, (*Sim).resetSessionKey},
}

// API is WeChat's own side, what api.weixin.qq.com is in life.
func (s *Sim) API() http.Handler {
	return http.HandlerFunc(s.serveAPI)
}

// serveAPI reads a request whole, notes it, and answers it, or lets the fault
// that is armed for its path answer.
func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request body unreadable or too large", http.StatusRequestEntityTooLarge)
		return
	}
	c := call{method: r.Method, path: r.URL.Path, query: r.URL.Query(), body: body}
	fault, struck := s.faults.take(c.path)
	note := s.seen.add(c, fault.Kind, s.Now())
	if struck {
		s.serveFault(w, r, c, fault, note)
		return
	}
	right := s.answer(c)
	s.seen.answered(note, right)
	right.write(w)
}

// answer does what was asked for and makes the right answer.
//
// A path that is not in routes gets 404 and a body without an errcode: what
// WeChat itself says to one is not documented, and this much is no JSON that
// a client could take for one of its answers.
func (s *Sim) answer(c call) answer {
	found, ok := routes[c.path]
	if !ok {
		return answer{
			status: http.StatusNotFound, contentType: contentType,
			body: []byte("404 page not found\n"), class: AnswerNotFound,
		}
	}
	if c.method != found.method {
		return failure(c.path, found.wrong)
	}
	return found.answer(s, c)
}

// decode reads the JSON body into v and returns 0, or the errcode with which
// WeChat refuses it: a form, a wrong type, anything after the object.
func (c call) decode(v any) int {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return errEmptyBody
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &members); err != nil || members == nil {
		return errDataFormat
	}
	for name := range members {
		if name != strings.ToLower(name) {
			delete(members, name) // encoding/json takes Code for code; WeChat does not
		}
	}
	if err := json.Unmarshal(marshalPlain(members), v); err != nil {
		return errDataFormat
	}
	return 0
}
