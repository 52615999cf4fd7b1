package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wxgate/wxgate/internal/demo/playground/describe"
)

// asked is a browser that wants to log in, as the phone shows it.
type asked struct {
	Browser string `json:"browser"`
	Address string `json:"address"`

	scan string
}

var (
	errNoCode  = errors.New("no PC shows a code; open one first")
	errNoAsker = errors.New("scan a code first")
)

// newScan has the page show a code, as its script does.
func (p *Playground) newScan(ctx context.Context, a *action, w *window) error {
	request := p.browse(w, http.MethodPost, p.config.Gateway+webScanPath, "").fromPage(p.config.Gateway)
	a.Curl = curlPage(request)
	response, err := p.send(ctx, a, w, request)
	if err != nil {
		return err
	}
	if response.status != http.StatusOK {
		p.update(func() { w.Shows, w.Status, w.Code = showsRefusal, response.status, describe.CodeOf(response.body) })
		return nil
	}
	var scan struct{ Scan, Image, Number string }
	if err := json.Unmarshal([]byte(response.body), &scan); err != nil {
		return fmt.Errorf("reading the scan: %w", err)
	}
	p.update(func() {
		w.Shows, w.Text = showsCode, ""
		w.scan, w.Image, w.Number, w.Scan = scan.Scan, scan.Image, scan.Number, "waiting"
	})
	return nil
}

// scanCode points the phone at the code that was made last, by a browser of this page or by a
// real one.
func (p *Playground) scanCode(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	text, err := p.control(ctx, http.MethodGet, "/wxacodes", "")
	if err != nil {
		return err
	}
	var codes []struct {
		Scene string `json:"scene"`
	}
	if err := json.Unmarshal([]byte(text), &codes); err != nil {
		return fmt.Errorf("reading the codes: %w", err)
	}
	if len(codes) == 0 {
		return errNoCode
	}
	if account.access == "" {
		return errNoAccount
	}
	scan := codes[len(codes)-1].Scene
	request := p.request(account, http.MethodGet, webScanPath+"/"+scan+"/request", "").authorize(account.access)
	a.Curl = curl(request)
	response, err := p.exchange(ctx, a, request)
	if err != nil || response.status != http.StatusOK {
		p.update(func() { account.Asked = nil })
		return err
	}
	who := &asked{scan: scan}
	if err := json.Unmarshal([]byte(response.body), who); err != nil {
		return fmt.Errorf("reading who asks: %w", err)
	}
	p.update(func() { account.Asked = who })
	return p.poll(ctx, a, scan)
}

// decide confirms the login of a browser with the number that it shows, or refuses it.
func (p *Playground) decide(ctx context.Context, a *action, c command) error {
	account, err := p.account(c)
	if err != nil {
		return err
	}
	if account.Asked == nil || account.access == "" {
		return errNoAsker
	}
	scan, body := account.Asked.scan, `{"confirm":false}`
	if c.On {
		body = fmt.Sprintf(`{"confirm":true,"number":%s}`, quotedJSON(c.Number))
	}
	request := p.request(account, http.MethodPost, webScanPath+"/"+scan, body).authorize(account.access)
	a.Curl = curl(request)
	response, err := p.exchange(ctx, a, request)
	if err != nil {
		return err
	}
	status, code := a.Status, a.Code
	if code != "wrong_number" {
		p.update(func() { account.Asked = nil })
		err = p.poll(ctx, a, scan)
	}
	if response.status != http.StatusOK {
		a.Status, a.Code = status, code // what the phone got, whatever the browser does then
	}
	return err
}

// pollTime bounds the wait of a browser for a phone that has acted.
const pollTime = 3 * time.Second

// poll is the request that the page of a scan has under way while the phone acts. It is sent
// afterwards, so that the diagram has one thing after the other.
func (p *Playground) poll(ctx context.Context, a *action, scan string) error {
	w := p.scanner(scan)
	if w == nil {
		return nil // a real browser's
	}
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	request := p.browse(w, http.MethodGet, p.config.Gateway+webScanPath+"/"+scan+"?known="+w.Scan, "")
	request.header["Sec-Fetch-Site"] = []string{"same-origin"}
	response, err := p.send(ctx, a, w, request)
	if err != nil || response.status != http.StatusOK {
		return err
	}
	var now struct{ State string }
	if err := json.Unmarshal([]byte(response.body), &now); err != nil {
		return fmt.Errorf("reading the state of the scan: %w", err)
	}
	p.update(func() { w.Scan = now.State })
	if now.State != "confirmed" {
		return nil
	}
	finish := p.browse(w, http.MethodPost, p.config.Gateway+webScanPath+"/"+scan+"/finish", "{}").fromPage(p.config.Gateway)
	finish.header["Content-Type"] = []string{"application/json"}
	if response, err = p.send(ctx, a, w, finish); err != nil || response.status != http.StatusNoContent {
		return err
	}
	return p.show(ctx, a, w, p.browse(w, http.MethodGet, p.config.Gateway+p.webPage(), "").navigation())
}

// scanner returns the browser that shows a code; nil for none.
func (p *Playground) scanner(scan string) *window {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.windows {
		if w.scan == scan && (w.Scan == "waiting" || w.Scan == "scanned") {
			return w
		}
	}
	return nil
}

func quotedJSON(s string) string {
	text, _ := json.Marshal(s) //nolint:errchkjson // a string
	return string(text)
}
