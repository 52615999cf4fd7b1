package playground

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// visit opens the page of the upstream. A browser that is not logged in gets as far as what
// its user must do: allow the login in WeChat, or scan a code.
func (p *Playground) visit(ctx context.Context, a *action, c command) error {
	w, err := p.window(c)
	if err != nil {
		return err
	}
	switch {
	case w.Door == webView:
		return p.carry(ctx, a, w, c)
	case w.Door == website && !w.Cookie:
		return p.logIn(ctx, a, w)
	}
	a.Curl = curlVisit(w, p.config.Gateway+p.webPage())
	if err := p.show(ctx, a, w, p.browse(w, http.MethodGet, p.config.Gateway+p.webPage(), "").navigation()); err != nil {
		return err
	}
	if !strings.HasPrefix(w.URL, p.config.Gateway+webLoginPath) || w.Shows != showsPage {
		return nil
	}
	if w.Door == website {
		return p.logIn(ctx, a, w) // the page of the scan has a link to it
	}
	return p.newScan(ctx, a, w)
}

// loginURL is the login of a door, which returns to the page.
func (p *Playground) loginURL(door string) string {
	return p.config.Gateway + webLoginPath + "?" + url.Values{"door": {door}, "return": {p.webPage()}}.Encode()
}

// logIn opens the login with WeChat's own code.
func (p *Playground) logIn(ctx context.Context, a *action, w *window) error {
	a.Curl = curlVisit(w, p.loginURL(w.Door))
	return p.show(ctx, a, w, p.browse(w, http.MethodGet, p.loginURL(w.Door), "").navigation())
}

// allow is the user's tap on WeChat's page, which returns to the gateway with a code.
func (p *Playground) allow(ctx context.Context, a *action, c command) error {
	w, err := p.window(c)
	if err != nil {
		return err
	}
	if w.Shows != showsWeChat {
		return errNoLogin
	}
	page, _, _ := strings.Cut(w.URL, "#")
	a.Curl = p.curlAllow(w)
	return p.show(ctx, a, w, p.browse(w, http.MethodGet, page+"&user="+url.QueryEscape(w.User), "").navigation())
}

// carry is what a mini program does that opens a page of its site: its ticket logs the web-view
// in.
func (p *Playground) carry(ctx context.Context, a *action, w *window, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	if account.access == "" {
		return errNoAccount
	}
	request := p.request(account, http.MethodPost, webTicketPath, "").authorize(account.access)
	a.Curl = curlTicket(p.webPage(), request)
	response, err := p.exchange(ctx, a, request)
	if err != nil || response.status != http.StatusOK {
		return err
	}
	var ticket struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal([]byte(response.body), &ticket); err != nil {
		return fmt.Errorf("reading the ticket: %w", err)
	}
	address := ticket.URL + "&" + url.Values{"return": {p.webPage()}}.Encode()
	return p.show(ctx, a, w, p.browse(w, http.MethodGet, address, "").navigation())
}

// goOn confirms the question of a ticket that the browser's user may not have asked for.
func (p *Playground) goOn(ctx context.Context, a *action, c command) error {
	w, err := p.window(c)
	if err != nil {
		return err
	}
	if w.Shows != showsQuestion {
		return errNoQuestion
	}
	form := url.Values{"ticket": {w.ticket}, "return": {p.webPage()}}.Encode()
	request := p.browse(w, http.MethodPost, p.config.Gateway+webEnterPath, form).navigation().fromPage(p.config.Gateway)
	request.header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	a.Curl = curlPage(request)
	return p.show(ctx, a, w, request)
}

// leave logs one browser out.
func (p *Playground) leave(ctx context.Context, a *action, c command) error {
	w, err := p.window(c)
	if err != nil {
		return err
	}
	request := p.browse(w, http.MethodPost, p.config.Gateway+webLogoutPath, "").fromPage(p.config.Gateway)
	a.Curl = curlPage(request)
	response, err := p.send(ctx, a, w, request)
	if err != nil || response.status != http.StatusNoContent {
		return err
	}
	p.update(func() { *w = window{Door: w.Door, User: w.User, cookies: w.cookies} })
	return nil
}

// endPerson logs a person out of every mini program and every browser.
func (p *Playground) endPerson(ctx context.Context, a *action, c command) error {
	if err := oneOf("user", c.User, users); err != nil {
		return err
	}
	request := p.adminCall(http.MethodPost, "user/logout", jsonOf(map[string]string{"app": p.config.Apps[0].ID, "unionid": unionOf(c.User)}))
	a.Curl = curl(request)
	_, err := p.exchange(ctx, a, request)
	return err
}
