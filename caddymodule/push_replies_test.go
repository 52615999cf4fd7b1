package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const (
	replyJSON = `{"ToUserName":%q,"FromUserName":%q,"CreateTime":1648014186,"MsgType":"text","Content":"you wrote %s"}`
	replyXML  = `<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>1648014186</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[you wrote %s]]></Content></xml>`
)

// replier starts the service of a service account. The Content of a message selects the reply.
func replier(t *testing.T) (url string, deliveries *atomic.Int64) {
	t.Helper()
	deliveries = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deliveries.Add(1)
		var in struct{ ToUserName, FromUserName, Content string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		switch in.Content {
		case "JSON":
			_, _ = fmt.Fprintf(w, replyJSON, in.FromUserName, in.ToUserName, in.Content)
		case "XML":
			_, _ = fmt.Fprintf(w, replyXML, in.FromUserName, in.ToUserName, in.Content)
		default:
			_, _ = io.WriteString(w, in.Content)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/wechat", deliveries
}

// TestReplies: the reply of a service account's service is returned to WeChat, encrypted and
// signed, in the format of the account; the simulator verifies it. If the service does not return
// a valid reply, WeChat gets a plain success.
func TestReplies(t *testing.T) {
	url, deliveries := replier(t)
	f := newPushFixture(t, url+" reply")
	console := simpush.NewConsole(f.sim.Sim)
	alice := wechatsim.OpenIDFor(pushedApp, "alice")
	pushed := 0
	for _, format := range wechatsim.PushFormats {
		made, err := console.Configure(t.Context(), pushedApp, wechatsim.Push{URL: f.url + pub + "/callback", Token: pushToken, EncodingAESKey: pushKey, Format: format})
		if err != nil || made.Problem != "" {
			t.Fatalf("%+v, %v", made, err)
		}
		for content, outcome := range map[string]string{"JSON": simpush.Replied, "XML": simpush.Replied, "": simpush.Acknowledged, "success": simpush.Acknowledged, "a secret text": simpush.Acknowledged} {
			want := ""
			if outcome == simpush.Replied {
				want = fmt.Sprintf(map[string]string{"json": replyJSON, "xml": replyXML}[format], alice, "gh_870882ca4b1", content)
			}
			sent, err := console.Push(t.Context(), wechatsim.User{App: pushedApp, Name: "alice"}, simpush.What{Value: content, Message: textOf(content, format, alice, pushed)})
			pushed++
			if err != nil || sent.Outcome != outcome || sent.Reply != want || len(sent.Attempts) != 1 {
				t.Errorf("%s %s: %+v, %v; want %s", format, content, sent, err, want)
			}
		}
	}
	// WeChat repeats a message, with a new encryption and signature.
	var first string
	for range 3 {
		text := customerText(alice, "9", "JSON")
		to := simpush.Target{Token: pushToken, EncodingAESKey: pushKey, Receiver: pushedApp}
		r, err := simpush.Message(f.sim.Sim, text, to)
		if err != nil {
			t.Fatal(err)
		}
		a := f.do("POST", pub+"/callback?"+r.Query.Encode(), string(r.Body))
		reply, err := simpush.OpenReply(a.body, r.Query.Get("nonce"), to)
		if err != nil || reply == "" || first != "" && reply != first || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %s, %v; the first was %s", reply, err, first)
		}
		first = reply
	}
	if n := deliveries.Load(); int(n) != pushed+1 {
		t.Errorf("%d deliveries of %d messages", n, pushed+1)
	}
	body := f.do("GET", "/metrics", "").body
	for _, outcome := range []string{"sent", "empty", "invalid"} {
		if !strings.Contains(body, "\nwxgate_push_replies_total{outcome=\""+outcome+"\"} ") {
			t.Errorf("no metric with the outcome %s", outcome)
		}
	}
}

// textOf returns a text message from alice in the format of the account.
func textOf(content, format, alice string, id int) string {
	if format == "xml" {
		return fmt.Sprintf("<xml><ToUserName><![CDATA[gh_870882ca4b1]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>10%d</MsgId></xml>", alice, content, id)
	}
	return fmt.Sprintf(`{"ToUserName":"gh_870882ca4b1","FromUserName":%q,"CreateTime":1,"MsgType":"text","Content":%q,"MsgId":10%d}`, alice, content, id)
}

// TestRepliesOfTwoMachines: WeChat gets the same reply if it repeats a message to another machine,
// whichever machine delivers the message.
func TestRepliesOfTwoMachines(t *testing.T) {
	url, deliveries := replier(t)
	setPushEnv(t)
	here := newSharedFixture(t, startRedis(t), "")
	here.config = strings.Replace(here.config, "api {{.API}}\n", "api {{.API}}\n\t\t\t"+forwarding(url+" reply")+"\n", 1)
	here.load()
	there, _ := here.mortalReplica()
	to := simpush.Target{Token: pushToken, EncodingAESKey: pushKey, Receiver: pushedApp}
	const n = 4
	for i := range n {
		for _, machine := range []*fixture{here, there} {
			openid := wechatsim.OpenIDFor(pushedApp, fmt.Sprint("user", i))
			r, err := simpush.Message(here.sim.Sim, customerText(openid, fmt.Sprint(i), "JSON"), to)
			if err != nil {
				t.Fatal(err)
			}
			a := machine.do("POST", pub+"/callback?"+r.Query.Encode(), string(r.Body))
			want := fmt.Sprintf(replyJSON, openid, "gh_919b00572d95", "JSON")
			if reply, err := simpush.OpenReply(a.body, r.Query.Get("nonce"), to); err != nil || reply != want {
				t.Errorf("message %d: got %s, %v; want %s", i, reply, err, want)
			}
		}
	}
	if got := deliveries.Load(); got != n {
		t.Errorf("%d deliveries of %d messages", got, n)
	}
}
