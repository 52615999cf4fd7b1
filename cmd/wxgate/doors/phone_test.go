package doors_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/jpeg"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// phone is a mini program in WeChat, which calls the gateway with its token.
type phone struct {
	w     *world
	agent string
	token string
}

// phoneLogin logs a user of the mini program in, by the API.
func (w *world) phoneLogin(name, unionid string) *phone {
	w.t.Helper()
	code, err := w.sim.Sim.MintCode(wechatsim.User{Name: name}, wechatsim.Login{UnionID: unionid})
	if err != nil {
		w.t.Fatal(err)
	}
	p := &phone{w: w, agent: onPhone.agent}
	var login struct {
		Token string `json:"access_token"`
	}
	p.call(http.MethodPost, "/openId", map[string]string{"code": code.Code}, http.StatusOK, &login)
	w.note("code", code.Code)
	w.note("token", login.Token)
	p.token = login.Token
	return p
}

// call makes a call and decodes the response, which must have a status.
func (p *phone) call(method, path string, in any, status int, out any) {
	p.w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		p.w.t.Fatal(err)
	}
	r, err := http.NewRequest(method, p.w.origin+pub+path, bytes.NewReader(body))
	if err != nil {
		p.w.t.Fatal(err)
	}
	r.Header.Set("User-Agent", p.agent)
	r.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := clients.Do(r)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && out != nil && response.StatusCode == status {
		err = json.Unmarshal(text, out)
	}
	if err != nil || response.StatusCode != status {
		p.w.t.Fatalf("%s %s: %d, want %d: %v: %s", method, path, response.StatusCode, status, err, text)
	}
}

// ticket returns the URL that a web-view opens, with the page to which the gateway redirects.
func (p *phone) ticket(back string) string {
	p.w.t.Helper()
	var made struct {
		Ticket, URL string
	}
	p.call(http.MethodPost, "/web/ticket", struct{}{}, http.StatusOK, &made)
	p.w.note("ticket", made.Ticket)
	return made.URL + "&return=" + url.QueryEscape(back)
}

// scan reads the code on the page of a browser, opens the mini program with it and returns
// the scan.
func (p *phone) scan(b *tab) (scan string) {
	p.w.t.Helper()
	b.Wait(`document.getElementById("wxgate-image")?.naturalWidth > 0 && document.getElementById("wxgate").dataset.state === "waiting"`)
	picture, ok := strings.CutPrefix(chromium.Value[string](b.Tab, `document.getElementById("wxgate-image").src`), "data:image/jpeg;base64,")
	if !ok {
		p.w.t.Fatal("the code is not a JPEG")
	}
	to, err := url.Parse(p.read(picture))
	if err != nil {
		p.w.t.Fatal(err)
	}
	q := to.Query()
	if q.Get("appid") != program.ID || q.Get("page") != "pages/scan/scan" {
		p.w.t.Fatalf("the code opens %s", to)
	}
	return q.Get("scene")
}

// read returns the text of a QR code.
func (p *phone) read(picture string) string {
	p.w.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(picture)
	if err != nil {
		p.w.t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(raw))
	if err != nil {
		p.w.t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		p.w.t.Fatal(err)
	}
	// The picture has only the code. Without this hint, the library misreads one code in some
	// hundreds, because it takes data for a corner.
	text, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil {
		p.w.t.Fatal(err)
	}
	return text.GetText()
}

// asker is the browser of a scan, as the phone shows it.
type asker struct {
	Browser, Address string
}

func (p *phone) asker(scan string) (a asker) {
	p.w.t.Helper()
	p.call(http.MethodGet, "/web/scan/"+scan+"/request", nil, http.StatusOK, &a)
	return a
}

// confirm confirms a scan with the number that the browser shows.
func (p *phone) confirm(scan string, b *tab) {
	p.w.t.Helper()
	number := strings.ReplaceAll(chromium.Value[string](b.Tab, `document.getElementById("wxgate-number").textContent`), " ", "")
	p.call(http.MethodPost, "/web/scan/"+scan, map[string]any{"confirm": true, "number": number}, http.StatusOK, nil)
}
func (p *phone) refuse(scan string) {
	p.w.t.Helper()
	p.call(http.MethodPost, "/web/scan/"+scan, map[string]any{"confirm": false}, http.StatusOK, nil)
}
