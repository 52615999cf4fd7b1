package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/wxgate/wxgate/internal/bench/load"
	"github.com/wxgate/wxgate/internal/bench/seed"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// requestHead and requestTail surround the token of a request, as sent by a mini program. All
// servers get the same request, also those that do not read the token.
const (
	requestHead = "GET /orders HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer "
	requestTail = "\r\nContent-Type: application/json\r\n" +
		"Referer: https://servicewechat.com/wx0000000000000001/devtools/page-frame.html\r\n" +
		"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0.50\r\n\r\n"
)

// tokenCaller sends authenticated requests, with the tokens of a list in turn.
type tokenCaller struct {
	head    string
	tokens  []seed.Token
	next    *atomic.Int64 // shared by the callers of one server
	guarded guarding
	openid  string // of the current request
}

// guarding reports whether a server sets the openid.
type guarding int

const (
	neverGuards guarding = iota
	alwaysGuards
	mayGuard // a peer
)

func newTokenCallers(address string, n int, tokens []seed.Token, g guarding) []load.Caller {
	next := new(atomic.Int64)
	callers := make([]load.Caller, n)
	for i := range callers {
		callers[i] = &tokenCaller{head: fmt.Sprintf(requestHead, address), tokens: tokens, next: next, guarded: g}
	}
	return callers
}

// Append implements [load.Caller].
func (c *tokenCaller) Append(buf []byte) ([]byte, error) {
	token := &c.tokens[(c.next.Add(1)-1)%int64(len(c.tokens))]
	c.openid = token.OpenID
	buf = append(buf, c.head...)
	buf = append(buf, token.Access...)
	return append(buf, requestTail...), nil
}

// Check implements [load.Caller]: the upstream must have received the right openid, or none
// from a server without wxgate.
func (c *tokenCaller) Check(status int, body []byte) error {
	openid, ok := bytes.CutPrefix(body, []byte(load.Greeting))
	if status != http.StatusOK || !ok {
		return fmt.Errorf("status %d with %q, want 200 from the upstream", status, short(body))
	}
	switch {
	case string(openid) == c.openid && c.guarded != neverGuards:
		return nil
	case len(openid) == 0 && c.guarded != alwaysGuards:
		return nil
	}
	return fmt.Errorf("the upstream received an openid of %d bytes that is not the caller's", len(openid))
}

// short returns the beginning of a body for an error message.
func short(body []byte) []byte {
	const most = 200
	return body[:min(len(body), most)]
}

// loginCaller logs in a new user with each request or, if it refreshes, one user once, and
// then refreshes that session.
type loginCaller struct {
	address   string
	sim       *wechatsim.Sim
	refreshes bool

	openid string // of the current login
	token  string // the refresh token of the session
}

// loginResponse has the members that are checked.
type loginResponse struct {
	OpenID       string `json:"openId"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

func newLoginCallers(address string, n int, sim *wechatsim.Sim, refreshes bool) []load.Caller {
	callers := make([]load.Caller, n)
	for i := range callers {
		callers[i] = &loginCaller{address: address, sim: sim, refreshes: refreshes}
	}
	return callers
}

// Append implements [load.Caller].
func (c *loginCaller) Append(buf []byte) ([]byte, error) {
	path, body := "/v1.0/pub/refresh", `{"refresh_token":"`+c.token+`"}`
	if c.token == "" {
		c.openid = string(seed.NewOpenID())
		code, err := c.sim.MintCode(wechatsim.User{OpenID: c.openid}, wechatsim.Login{})
		if err != nil {
			return nil, fmt.Errorf("making a login code: %w", err)
		}
		path, body = "/v1.0/pub/openId", `{"code":"`+code.Code+`"}`
	}
	buf = append(buf, "POST "+path+" HTTP/1.1\r\nHost: "+c.address+"\r\nContent-Type: application/json\r\nContent-Length: "...)
	buf = strconv.AppendInt(buf, int64(len(body)), 10)
	return append(append(buf, "\r\n\r\n"...), body...), nil
}

// Check implements [load.Caller].
func (c *loginCaller) Check(status int, body []byte) error {
	var granted loginResponse
	// A refused login has an error document, which contains no secrets.
	if status != http.StatusOK {
		return fmt.Errorf("status %d with %s, want 200", status, short(body))
	}
	if err := json.Unmarshal(body, &granted); err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	if granted.AccessToken == "" || granted.RefreshToken == "" || c.token == "" && granted.OpenID != c.openid {
		return fmt.Errorf("a response of %d bytes without tokens, or for another user", len(body))
	}
	if c.refreshes {
		c.token = granted.RefreshToken
	}
	return nil
}
