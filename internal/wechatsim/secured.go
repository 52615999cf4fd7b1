package wechatsim

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// Secure turns on API security (API 安全) for a mini program, or replaces its keys, and returns
// what the console then shows. WeChat refuses plain requests of the calls that support it from
// then on. The error is [apisecurity.ErrBadKeys].
func (s *Sim) Secure(app string, keys apisecurity.Keys) (apisecurity.Console, error) {
	if !s.isMiniProgram(app) {
		return apisecurity.Console{}, fmt.Errorf("%w: %q is not a mini program on wechat", apisecurity.ErrBadKeys, app)
	}
	secured, err := apisecurity.New(app, keys, s.Now())
	if err != nil {
		return apisecurity.Console{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secure[app] = secured
	return secured.Console(), nil
}

// SecurityConsole returns what the console shows of a mini program with API security.
func (s *Sim) SecurityConsole(app string) (apisecurity.Console, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secured, err := s.securedApp(app)
	if err != nil {
		return apisecurity.Console{}, err
	}
	return secured.Console(), nil
}

// securedApp is called with s.mu held.
func (s *Sim) securedApp(app string) (*apisecurity.App, error) {
	secured, ok := s.secure[app]
	if !ok {
		return nil, fmt.Errorf("%w: app %q has no API security", apisecurity.ErrBadKeys, app)
	}
	return secured, nil
}

// ChangeCertificate begins a change of the certificate that WeChat signs with, or ends it.
// While it lasts, responses have both signatures, the old one as the deprecated one.
func (s *Sim) ChangeCertificate(app string, next apisecurity.Key) (apisecurity.Console, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secured, err := s.securedApp(app)
	if err != nil {
		return apisecurity.Console{}, err
	}
	changed, err := secured.Change(next, s.Now())
	if err != nil {
		return apisecurity.Console{}, err
	}
	s.secure[app] = changed
	return changed.Console(), nil
}

// addressOf returns what a signature covers of a request's URL.
func addressOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.EscapedPath()
}

// respondSecured decrypts a call of a mini program with API security, and encrypts the response.
// WeChat's documentation does not say that it refuses plain requests of such a mini program;
// here it does, so that a client that forgets to encrypt is noticed.
func (s *Sim) respondSecured(c call, spoil apisecurity.Spoil) protocol.Response {
	if !apisecurity.Supports(c.path) {
		return s.respond(c)
	}
	s.mu.Lock()
	id, errcode := s.checkToken(c.query.Get("access_token"))
	secured := s.secure[id]
	s.mu.Unlock()
	if errcode != 0 || secured == nil && !apisecurity.Signed(c.header) {
		return s.respond(c) // an error is not encrypted: WeChat does not know for whom
	}
	if named := c.header.Get("Wechatmp-AppId"); named != "" {
		if _, known := s.app(named); !known {
			return failure(c.path, apisecurity.InvalidAppID)
		}
	}
	plain, errcode := secured.Open(id, c.address, c.header, c.body, s.Now())
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	c.body, c.query = plain, url.Values{"access_token": c.query["access_token"]}
	right := inJSON(s.respond(c))
	header, body, err := secured.Seal(c.address, right.Body, s.Now(), spoil)
	if err != nil {
		return failure(c.path, protocol.ErrBusy)
	}
	right.Header, right.Body = header, body
	return right
}
