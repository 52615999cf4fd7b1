package wechat_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

const (
	codePath = "/wxa/getwxacodeunlimit"
	scene    = "SECRETscene=0123456789_-.~!"
)

// The beginnings of images: WeChat's are JPEG, and PNG if transparent.
const (
	jpegImage = "\xff\xd8\xff\xe0\x00\x10JFIF\x00"
	pngImage  = "\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR"
)

func TestMiniProgramCodeRequest(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"":                   fmt.Sprintf(`{"scene":%q}`, scene),
		"pages/scan/confirm": fmt.Sprintf(`{"scene":%q,"page":"pages/scan/confirm"}`, scene),
	} {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(codePath, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "access_token="+token || string(body) != want {
				t.Errorf("got %s %s %s, %v; want %s", r.Method, r.URL, body, err, want)
			}
			respondAs(http.StatusOK, "image/jpeg", jpegImage)(w, r)
		})
		image, mediaType, err := direct(t, p).MiniProgramCode(t.Context(), scene, page)
		wantErr(t, err, nil)
		if string(image) != jpegImage || mediaType != "image/jpeg" {
			t.Errorf("got %q as %s", image, mediaType)
		}
	}
	p := newPlatform()
	for _, bad := range []string{"", strings.Repeat("a", 33), "a b", "a%20", "中", "a\n", "a\"b"} {
		_, _, err := direct(t, p).MiniProgramCode(t.Context(), bad, "")
		wantErr(t, err, auth.ErrInvalidRequest)
	}
	if len(p.seen) != 0 {
		t.Errorf("called %v", p.seen)
	}
}

// TestMiniProgramCodeResponses: a page shows the result, so its bytes must be an image,
// whatever media type WeChat sends.
func TestMiniProgramCodeResponses(t *testing.T) {
	t.Parallel()
	buffer := func(image string) string {
		return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","buffer":%q}`, base64.StdEncoding.EncodeToString([]byte(image)))
	}
	long := pngImage + strings.Repeat("\x00", 1<<20-len(pngImage))
	for name, row := range map[string]struct {
		response http.HandlerFunc
		image    string
		kind     string
		err      error
		calls    int
	}{
		"JPEG":              {response: respondAs(200, "image/jpeg", jpegImage), image: jpegImage, kind: "image/jpeg"},
		"PNG":               {response: respondAs(200, "image/jpeg", pngImage), image: pngImage, kind: "image/png"},
		"PNG as HTML":       {response: respondAs(200, "text/html", pngImage), image: pngImage, kind: "image/png"},
		"1 MiB":             {response: respond(long), image: long, kind: "image/png"},
		"more than 1 MiB":   {response: respond(long + "\x00"), err: auth.ErrWeChatUnreadable, calls: 2},
		"buffer":            {response: respond(buffer(pngImage)), image: pngImage, kind: "image/png"},
		"buffer with HTML":  {response: respond(buffer("<html>")), err: auth.ErrWeChatUnreadable, calls: 2},
		"buffer not base64": {response: respond(`{"buffer":"SECRET!"}`), err: auth.ErrWeChatUnreadable, calls: 2},
		"no buffer":         {response: respond(`{"errcode":0}`), err: auth.ErrWeChatUnreadable, calls: 2},
		"SVG":               {response: respondAs(200, "image/png", `<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`), err: auth.ErrWeChatUnreadable, calls: 2},
		"GIF":               {response: respondAs(200, "image/gif", "GIF89a\x01\x00\x01\x00"), err: auth.ErrWeChatUnreadable, calls: 2},
		"empty":             {response: respondAs(200, "image/jpeg", ""), err: auth.ErrWeChatUnreadable, calls: 2},
		"500 with an image": {response: respondAs(500, "image/jpeg", jpegImage), err: auth.ErrWeChatUnreadable, calls: 2},
		"busy":              {response: respond(`{"errcode":-1}`), err: auth.ErrWeChatBusy, calls: 2},
		"page":              {response: respond(`{"errcode":41030,"errmsg":"invalid page"}`), err: auth.ErrAppMisconfigured},
		"arguments":         {response: respond(`{"errcode":40097,"errmsg":"` + scene + ` ` + token + `"}`), err: auth.ErrAppMisconfigured},
		"scene":             {response: respond(`{"errcode":40129}`), err: auth.ErrWeChatUnreadable},
		"length of scene":   {response: respond(`{"errcode":40169}`), err: auth.ErrWeChatUnreadable},
		"scancode_time":     {response: respond(`{"errcode":85096}`), err: auth.ErrAppMisconfigured},
		"per minute":        {response: respond(`{"errcode":45011}`), err: auth.ErrRateLimited},
		"right":             {response: respond(`{"errcode":48001}`), err: auth.ErrAppMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(tokenPath, respond(goodToken)).on(codePath, row.response)
			image, kind, err := direct(t, p).MiniProgramCode(t.Context(), scene, "")
			wantErr(t, err, row.err)
			if string(image) != row.image || kind != row.kind {
				t.Errorf("got %d bytes as %q, want %d as %q", len(image), kind, len(row.image), row.kind)
			}
			wantCalls(t, p, codePath, max(row.calls, 1))
		})
	}
}

// A token that WeChat refuses is renewed once.
func TestMiniProgramCodeToken(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken), respond(`{"access_token":"SECRETtoken-2","expires_in":7200}`)).
		on(codePath, respond(`{"errcode":40001}`), respond(jpegImage), respond(`{"errcode":42001}`))
	client := direct(t, p)
	_, _, err := client.MiniProgramCode(t.Context(), scene, "")
	wantErr(t, err, nil)
	wantCalls(t, p, tokenPath, 2)
	_, _, err = client.MiniProgramCode(t.Context(), scene, "")
	wantErr(t, err, auth.ErrWeChatBusy)
	wantCalls(t, p, codePath, 4)
	component := mustComponent(t, p)
	_, _, err = component.MiniProgramCode(t.Context(), scene, "")
	wantErr(t, err, auth.ErrAppMisconfigured)
	wantCalls(t, p, codePath, 4)
}

// mustComponent returns a client of an app of a third-party platform.
func mustComponent(t *testing.T, p *fakePlatform) *wechat.Client {
	t.Helper()
	client, err := wechat.New(wechat.Config{
		AppID: app, API: "http://wechat.invalid", Transport: p, Component: &wechat.Component{AppID: "wxcomponent", TokenURL: "http://service.invalid/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestMiniProgramCodeTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(codePath, hangs)
		started := time.Now()
		_, _, err := direct(t, p).MiniProgramCode(t.Context(), scene, "")
		wantErr(t, err, auth.ErrWeChatTimeout)
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("gave up after %v", took)
		}
		wantCalls(t, p, codePath, 1)
	})
}

// FuzzMiniProgramCode: whatever WeChat responds, the result is an image or an error without
// secrets.
func FuzzMiniProgramCode(f *testing.F) {
	for _, seed := range []string{jpegImage, pngImage, `{"buffer":"iVBORw0KGgo="}`, `{"errcode":41030}`, ``, `<svg/>`} {
		f.Add([]byte(seed))
	}
	p := newPlatform().on(tokenPath, respond(goodToken))
	client := direct(f, p)
	f.Fuzz(func(t *testing.T, body []byte) {
		p.on(codePath, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
		image, kind, err := client.MiniProgramCode(t.Context(), scene, "")
		isImage := bytes.HasPrefix(image, []byte("\xff\xd8\xff")) && kind == "image/jpeg" || bytes.HasPrefix(image, []byte(pngImage[:8])) && kind == "image/png"
		if isImage != (err == nil) {
			t.Errorf("got %d bytes as %q, %v", len(image), kind, err)
		}
		if err != nil {
			wantErr(t, err, err)
		}
	})
}
