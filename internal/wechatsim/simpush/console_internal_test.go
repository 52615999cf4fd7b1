package simpush

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/sealing"
)

const (
	testToken = "token0123"
	testKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// roundTripper is a server without a network, so that a test can use a fake clock.
type roundTripper func(w http.ResponseWriter, r *http.Request)

func (serve roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		serve(w, r)
	}()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

func newConsole(t *testing.T, push wechatsim.Push, serve roundTripper) *Console {
	t.Helper()
	app := wechatsim.DefaultApp
	push.URL, push.Token = "http://server.example/callback?app=1", testToken
	push, err := push.Check()
	if err != nil {
		t.Fatal(err)
	}
	app.Push = push
	c := NewConsole(wechatsim.New(wechatsim.Config{Apps: []wechatsim.App{app}}))
	c.transport = serve
	return c
}

// TestRepeats: WeChat sends a message up to three times, each five seconds after the one
// before, until it is acknowledged.
func TestRepeats(t *testing.T) {
	for name, row := range map[string]struct {
		responses []int // status; 0: none within five seconds
		outcome   string
		took      time.Duration
	}{
		"at once":       {[]int{200}, Acknowledged, 0},
		"second":        {[]int{500, 200}, Acknowledged, 5 * time.Second},
		"third":         {[]int{0, 503, 200}, Acknowledged, 10 * time.Second},
		"never":         {[]int{0, 0, 0}, Failed, 15 * time.Second},
		"refused":       {[]int{403, 403, 403}, Failed, 10 * time.Second},
		"redirected":    {[]int{302, 302, 200}, Acknowledged, 10 * time.Second},
		"after it hung": {[]int{0, 200}, Acknowledged, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen []string
				c := newConsole(t, wechatsim.Push{EncodingAESKey: testKey}, func(w http.ResponseWriter, r *http.Request) {
					status := row.responses[len(seen)]
					body, _ := io.ReadAll(r.Body)
					seen = append(seen, string(body))
					if status == 0 {
						<-r.Context().Done()
						return
					}
					w.WriteHeader(status)
					_, _ = io.WriteString(w, "success")
				})
				began := time.Now()
				sent, err := c.Push(t.Context(), wechatsim.User{Name: "alice"}, What{})
				if err != nil || sent.Outcome != row.outcome || len(sent.Attempts) != len(row.responses) || len(seen) != len(row.responses) {
					t.Errorf("%+v, %v; %d requests", sent, err, len(seen))
				}
				if took := time.Since(began); took != row.took {
					t.Errorf("it took %v, want %v", took, row.took)
				}
				if got := c.Pushes(); len(got) != 1 || got[0].ID != 1 || got[0].Outcome != row.outcome {
					t.Errorf("kept %+v", got)
				}
			})
		})
	}
}

// TestPushEnds: a client that leaves ends the repeats.
func TestPushEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsole(t, wechatsim.Push{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Push(ctx, wechatsim.User{}, What{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestReplies: a reply is decrypted, and refused unless it is encrypted, signed and addressed
// as WeChat's documentation says.
func TestReplies(t *testing.T) {
	alice := wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice")
	good := members{{"ToUserName", alice}, {"FromUserName", account}, {"CreateTime", "1"}, {"MsgType", "text"}, {"Content", "hi"}}
	for _, format := range wechatsim.PushFormats {
		isXML := format == "xml"
		envelope := func(token, stamp, nonce, sealed, signature string) string {
			if signature == "" {
				signature = Signature(token, stamp, nonce, sealed)
			}
			return members{{"Encrypt", sealed}, {"MsgSignature", signature}, {"TimeStamp", stamp}, {"Nonce", nonce}}.render(isXML)
		}
		seal := func(key, receiver, text string) string {
			sealed, err := sealing.Push(key, receiver, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			return sealed
		}
		app := wechatsim.DefaultApp.ID
		right := seal(testKey, app, good.render(isXML))
		for name, row := range map[string]struct {
			reply   func(nonce string) string
			outcome string
			problem string
		}{
			"right":        {func(n string) string { return envelope(testToken, "1", n, right, "") }, Replied, ""},
			"empty":        {func(string) string { return " " }, Acknowledged, ""},
			"in the clear": {func(string) string { return good.render(isXML) }, BadReply, "signature"},
			"other format": {func(string) string { return good.render(!isXML) }, BadReply, "not "},
			"text":         {func(string) string { return "ok" }, BadReply, "not "},
			"signature":    {func(n string) string { return envelope("other", "1", n, right, "") }, BadReply, "signature"},
			"nonce":        {func(string) string { return envelope(testToken, "1", "1", right, "") }, BadReply, "nonce"},
			"other key":    {func(n string) string { return envelope(testToken, "1", n, seal("b"+testKey[1:], app, "x"), "") }, BadReply, "bad encrypted reply"},
			"other app": {func(n string) string {
				return envelope(testToken, "1", n, seal(testKey, "wxother", good.render(isXML)), "")
			}, BadReply, "encrypted for"},
			"cut": {func(n string) string { return envelope(testToken, "1", n, right[:20], "") }, BadReply, "base64"},
			"other user": {func(n string) string {
				return envelope(testToken, "1", n, seal(testKey, app, append(members{{"ToUserName", "o2"}}, good[1:]...).render(isXML)), "")
			}, BadReply, "ToUserName"},
			"no sender": {func(n string) string {
				return envelope(testToken, "1", n, seal(testKey, app, append(members{good[0]}, good[2:]...).render(isXML)), "")
			}, BadReply, "FromUserName"},
			"no type": {func(n string) string {
				return envelope(testToken, "1", n, seal(testKey, app, good[:3].render(isXML)), "")
			}, BadReply, "MsgType"},
			"acknowledgement": {func(string) string { return "success" }, Acknowledged, ""},
		} {
			t.Run(format+" "+name, func(t *testing.T) {
				c := newConsole(t, wechatsim.Push{EncodingAESKey: testKey, Format: format}, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.WriteString(w, row.reply(r.URL.Query().Get("nonce")))
				})
				sent, err := c.Push(t.Context(), wechatsim.User{Name: "alice"}, What{})
				if err != nil || sent.Outcome != row.outcome || !strings.Contains(sent.Problem, row.problem) || (row.outcome == Replied) != (sent.Reply == good.render(isXML)) {
					t.Errorf("%+v, %v", sent, err)
				}
			})
		}
	}
}

// TestModes: what is sent in each mode and format.
func TestModes(t *testing.T) {
	for _, mode := range wechatsim.PushModes {
		for _, format := range wechatsim.PushFormats {
			for _, kind := range append(Types(), "") {
				var body string
				c := newConsole(t, wechatsim.Push{EncodingAESKey: testKey, Mode: mode, Format: format}, func(_ http.ResponseWriter, r *http.Request) {
					text, _ := io.ReadAll(r.Body)
					body = string(text)
					q := r.URL.Query()
					if q.Get("signature") != Signature(testToken, q.Get("timestamp"), q.Get("nonce")) || q.Get("app") != "1" || (q.Get("msg_signature") != "") != (mode != "plain") {
						t.Errorf("%s: query %v", mode, q)
					}
				})
				sent, err := c.Push(t.Context(), wechatsim.User{Name: "alice"}, What{Type: kind, Value: `a]]>"<`})
				if err != nil || sent.Outcome != Acknowledged {
					t.Fatalf("%s %s %s: %+v, %v", mode, format, kind, sent, err)
				}
				if inClear := strings.Contains(body, "MsgType"); inClear != (mode != "secure") || strings.Contains(body, "Encrypt") != (mode != "plain") {
					t.Errorf("%s %s %s: sent %s", mode, format, kind, body)
				}
				var in struct{ MsgType string }
				if err := unmarshal(body, format == "xml", &in); err != nil || (sent.MsgID != "") != (kind == "text" || kind == "") {
					t.Errorf("%s %s %s: %v, MsgId %q of %s", mode, format, kind, err, sent.MsgID, body)
				}
			}
		}
	}
}

// TestConfigure sets a target, and sees whether the server returns echostr.
func TestConfigure(t *testing.T) {
	echo := true
	c := newConsole(t, wechatsim.Push{}, func(w http.ResponseWriter, r *http.Request) {
		if echo && r.Method == http.MethodGet {
			_, _ = io.WriteString(w, r.URL.Query().Get("echostr"))
		}
	})
	app := wechatsim.DefaultApp.ID
	push := wechatsim.Push{URL: "https://server.example/", Token: testToken, EncodingAESKey: testKey}
	for _, want := range []string{"", "the response is not echostr"} {
		made, err := c.Configure(t.Context(), app, push)
		if err != nil || made.Problem != want || made.Status != http.StatusOK {
			t.Errorf("%+v, %v", made, err)
		}
		echo = false
	}
	if got := c.Targets()[app]; got.Mode != "secure" || got.Format != "json" || got.URL != push.URL {
		t.Errorf("configured %+v", got)
	}
	for name, bad := range map[string]wechatsim.Push{
		"URL": {URL: "server.example", Token: testToken}, "token": {URL: push.URL}, "mode": {URL: push.URL, Token: testToken, Mode: "none"},
		"format": {URL: push.URL, Token: testToken, Format: "yaml"}, "EncodingAESKey": {URL: push.URL, Token: testToken, Mode: "secure"},
	} {
		if _, err := c.Configure(t.Context(), app, bad); !errors.Is(err, wechatsim.ErrBadPush) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Configure(t.Context(), "wxnone", push); !errors.Is(err, wechatsim.ErrUnknownApp) {
		t.Errorf("got %v", err)
	}
}

func TestPushRefuses(t *testing.T) {
	c := NewConsole(wechatsim.New(wechatsim.Config{}))
	if _, err := c.Push(t.Context(), wechatsim.User{}, What{}); !errors.Is(err, ErrNoTarget) {
		t.Errorf("without a target: %v", err)
	}
	if _, err := c.Push(t.Context(), wechatsim.User{App: "wxnone"}, What{}); !errors.Is(err, wechatsim.ErrUnknownApp) {
		t.Errorf("unknown app: %v", err)
	}
	c = newConsole(t, wechatsim.Push{}, nil)
	if _, err := c.Push(t.Context(), wechatsim.User{}, What{Type: "song"}); !errors.Is(err, ErrBadMessage) {
		t.Errorf("unknown type: %v", err)
	}
	c = newConsole(t, wechatsim.Push{EncodingAESKey: "short"}, nil)
	if _, err := c.Push(t.Context(), wechatsim.User{}, What{}); !errors.Is(err, sealing.ErrBadAESKey) {
		t.Errorf("bad key: %v", err)
	}
}

// TestPublishedReply is the reply of WeChat's page: https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
func TestPublishedReply(t *testing.T) {
	const body = `{"Encrypt": "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",` +
		`"MsgSignature": "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1","TimeStamp": 1713424427,"Nonce": "415670741"}`
	to := Target{Token: "AAAAA", EncodingAESKey: strings.Repeat("A", 43), Receiver: "wxba5fad812f8e6fb9"}
	if got, err := OpenReply(body, "415670741", to); err != nil || got != `{"demo_resp":"good luck"}` {
		t.Errorf("got %s, %v", got, err)
	}
}
