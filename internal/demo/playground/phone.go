package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// What the phone of WeChat sends with each request.
const (
	userAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.60 MiniProgram"
	referer   = "https://servicewechat.com/%s/12/page-frame.html"
)

// The paths of the login API, in the default prefix.
const (
	loginPath   = "/v1.0/pub/openId"
	decodePath  = "/v1.0/pub/decode"
	refreshPath = "/v1.0/pub/refresh"
	logoutPath  = "/v1.0/pub/logout"
)

// forgedName is the header that the switch "forge" adds, spelled as an attacker would.
const (
	forgedName  = "X-WX-OPENID"
	forgedValue = "mallory"
)

// request returns a request of the phone to the gateway.
func (p *Playground) request(account *account, method, path, body string) call {
	h := http.Header{
		"User-Agent": {userAgent},
		"Referer":    {fmt.Sprintf(referer, account.App)},
	}
	if body != "" {
		h["Content-Type"] = []string{"application/json"}
	}
	return call{from: Phone, client: p.phone, method: method, url: p.config.Gateway + path, header: h, body: body}
}

// forge adds a forged identity, if the switch is on.
func (c call) forge(on bool) call {
	if on {
		c.header[forgedName] = []string{forgedValue}
	}
	return c
}

// authorize adds an access token, if there is one.
func (c call) authorize(token string) call {
	if token != "" {
		c.header["Authorization"] = []string{"Bearer " + token}
	}
	return c
}

// person returns the query that names a user at the simulator.
func (a *account) person(more url.Values) string {
	q := url.Values{"appid": {a.App}, "openid": {a.OpenID}}
	maps.Copy(q, more)
	return q.Encode()
}

// grant is what the login API returns: some members are empty.
type grant struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Handle  string `json:"session_key"`
	Number  string `json:"purePhoneNumber"`
}

// granted sends a request to the login API and reads the response; nil if it was refused.
func (p *Playground) granted(ctx context.Context, a *action, request call) (*grant, error) {
	response, err := p.exchange(ctx, a, request)
	if err != nil || response.status != http.StatusOK {
		return nil, err
	}
	in := new(grant)
	if err := json.Unmarshal([]byte(response.body), in); err != nil {
		return nil, fmt.Errorf("reading the response of the login API: %w", err)
	}
	return in, nil
}

// login does what wx.login and a POST of its code do.
func (p *Playground) login(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	path := "/code?" + account.person(url.Values{"unionid": {unionOf(account.User)}})
	code, err := p.control(ctx, http.MethodGet, path, "")
	if err != nil {
		return err
	}
	request := p.request(account, http.MethodPost, loginPath, jsonOf(map[string]string{"appid": account.App, "code": code})).forge(c.Forge)
	a.Curl = curlWith("code", p.config.Management+path, request, code)
	in, err := p.granted(ctx, a, request)
	if in == nil {
		return err
	}
	p.update(func() {
		account.access, account.refresh, account.handle, account.Number = in.Access, in.Refresh, in.Handle, ""
	})
	return nil
}

// shareNumber shares the phone number: the new way with a code, or the old way with data
// that the phone encrypted.
func (p *Playground) shareNumber(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	request := p.request(account, http.MethodPost, decodePath, "").forge(c.Forge).authorize(account.access)
	request.header["Content-Type"] = []string{"application/json"}
	if c.Way == "data" {
		err = p.encryptedNumber(ctx, a, account, &request)
	} else {
		err = p.numberCode(ctx, a, account, &request)
	}
	if err != nil {
		return err
	}
	in, err := p.granted(ctx, a, request)
	if in == nil {
		return err
	}
	p.update(func() {
		account.Number = in.Number
		if in.Access != "" {
			account.access = in.Access // it states that the number is verified
		}
	})
	return nil
}

// numberCode has the phone make a phone code.
func (p *Playground) numberCode(ctx context.Context, a *action, account *account, request *call) error {
	path := "/phone-code?" + account.person(nil)
	code, err := p.control(ctx, http.MethodGet, path, "")
	if err != nil {
		return err
	}
	request.body = jsonOf(map[string]string{"code": code})
	a.Curl = curlWith("code", p.config.Management+path, *request, code)
	return nil
}

// encryptedNumber has the phone encrypt the number with WeChat's session_key, which the phone
// gets at its first login.
func (p *Playground) encryptedNumber(ctx context.Context, a *action, account *account, request *call) error {
	if account.handle == "" {
		return errNoAccount
	}
	path := "/encrypted-phone?" + account.person(nil)
	text, err := p.control(ctx, http.MethodGet, path, "")
	if err != nil {
		return err
	}
	var data map[string]string
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return fmt.Errorf("reading the encrypted data: %w", err)
	}
	data["session_key"] = account.handle
	request.body = jsonOf(data)
	a.Curl = curlEncrypted(p.config.Management+path, *request, account.handle)
	return nil
}

// ordersPath is what terminals call and browsers open, by default.
const ordersPath = "/api/orders"

var errBadPath = errors.New("invalid path; expected one that begins with a slash and has no spaces, such as " + ordersPath)

// business calls the upstream.
func (p *Playground) business(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	if _, err := url.ParseRequestURI(c.Path); err != nil || !strings.HasPrefix(c.Path, "/") || strings.Contains(c.Path, " ") {
		return errBadPath
	}
	request := p.request(account, http.MethodGet, c.Path, "").forge(c.Forge).authorize(account.access)
	a.Curl = curl(request)
	_, err = p.exchange(ctx, a, request)
	return err
}

// refresh exchanges the refresh token.
func (p *Playground) refresh(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	if account.refresh == "" {
		return errNoAccount
	}
	request := p.request(account, http.MethodPost, refreshPath, jsonOf(map[string]string{"refresh_token": account.refresh})).forge(c.Forge)
	a.Curl = curl(request)
	in, err := p.granted(ctx, a, request)
	if in == nil {
		return err
	}
	p.update(func() { account.access, account.refresh = in.Access, in.Refresh })
	return nil
}

// logout ends the session, and the phone forgets its tokens.
func (p *Playground) logout(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	request := p.request(account, http.MethodPost, logoutPath, "").forge(c.Forge).authorize(account.access)
	a.Curl = curl(request)
	if _, err = p.exchange(ctx, a, request); err != nil {
		return err
	}
	p.update(func() {
		account.access, account.refresh, account.handle, account.Number, account.Asked = "", "", "", "", nil
	})
	return nil
}

// jsonOf returns a JSON object of strings.
func jsonOf(members map[string]string) string {
	text, _ := json.Marshal(members) //nolint:errchkjson // strings
	return string(text)
}
