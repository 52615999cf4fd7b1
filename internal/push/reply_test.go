package push_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/token/tokentest"
	"github.com/wxgate/wxgate/internal/wechat/callback"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const (
	pushToken = "token0123"
	pushKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// encrypted returns a text message as encrypted by WeChat, and its nonce.
func encrypted(t testing.TB, to simpush.Target) (p callback.Push, nonce string) {
	t.Helper()
	r, err := simpush.Message(wechatsim.New(wechatsim.Config{}), `{"FromUserName":"o1","MsgType":"text","MsgId":1}`, to)
	if err != nil {
		t.Fatal(err)
	}
	c, err := callback.New(callback.Config{AppID: app, Token: pushToken, EncodingAESKey: pushKey})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = c.Open(r.Query, r.Body); err != nil {
		t.Fatal(err)
	}
	return p, r.Query.Get("nonce")
}

// TestReplies is the fault table of a service's responses with reply: WeChat gets a reply that
// it can decrypt, or a plain success.
func TestReplies(t *testing.T) {
	t.Parallel()
	const reply = `{"ToUserName":"o1","FromUserName":"gh_1","MsgType":"text","Content":"hi"}`
	respond := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, reply[:40])
	}
	for name, row := range map[string]struct {
		respond http.HandlerFunc
		want    push.ReplyOutcome
	}{
		"a reply":    {respond(200, reply), push.ReplySent},
		"201":        {respond(201, "\n"+reply+"\n"), push.ReplySent},
		"in XML":     {respond(200, `<xml><ToUserName><![CDATA[o1]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hi]]></Content></xml>`), push.ReplySent},
		"nothing":    {respond(200, ""), push.ReplyEmpty},
		"no content": {respond(204, ""), push.ReplyEmpty},
		"success":    {respond(200, " success\n"), push.ReplyEmpty},
		"a text":     {respond(200, "thank you"), push.ReplyInvalid},
		"a page":     {respond(200, "<html><body>hi</body></html>"), push.ReplyInvalid},
		"an array":   {respond(200, "["+reply+"]"), push.ReplyInvalid},
		"twice":      {respond(200, reply+reply), push.ReplyInvalid},
		"huge":       {respond(200, `{"Content":"`+strings.Repeat("x", 8<<20)+`"}`), push.ReplyInvalid},
		"cut":        {cut, push.ReplyInvalid},
		"500":        {respond(500, reply), push.ReplyLate},
		"403":        {respond(403, reply), push.ReplyLate},
		"a redirect": {respond(307, reply), push.ReplyLate},
		"reset":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, push.ReplyLate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(row.respond)
			defer server.Close()
			replies := push.NewReplies(tokentest.MustBox(t, tokentest.Secret), nil)
			s := push.NewService(server.URL, tokentest.New(t, nil).Tokens, replies)
			defer s.Close()
			tried := make(chan struct{}, 100)
			q, stop := newQueue(t, queue.NewLocal(limits, nil), func(ctx context.Context, m queue.Message) error {
				defer func() { tried <- struct{}{} }()
				return s.Send(ctx, m)
			})
			defer stop()
			r := push.NewRouter([]*push.Forward{{App: app, Queue: q, Replies: replies}})
			defer r.Close()
			to := simpush.Target{Token: pushToken, EncodingAESKey: pushKey, Receiver: string(app)}
			p, nonce := encrypted(t, to)
			wantStored(t, r, &p, push.Queued, nil)
			<-tried
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if row.want == push.ReplyLate {
				cancel() // the attempt has ended
			}
			defer cancel()
			got, outcome, err := r.Reply(ctx, &p)
			if outcome != row.want || (got != nil) != (row.want == push.ReplySent) || (row.want == push.ReplyInvalid) != errors.Is(err, callback.ErrReply) {
				t.Fatalf("%v, %s, %v", got, outcome, err)
			}
			if err != nil && strings.Contains(err.Error(), "hi") {
				t.Errorf("the error has the reply: %v", err)
			}
			if got == nil {
				return
			}
			if opened, err := simpush.OpenReply(string(got.Body), nonce, to); err != nil || opened != reply {
				t.Errorf("WeChat reads %s, %v", opened, err)
			}
		})
	}
}

// TestNotAwaited: without the option reply, and for a message without a service, WeChat does
// not wait.
func TestNotAwaited(t *testing.T) {
	t.Parallel()
	b := newInbox()
	r, stop := newRouter(t, queue.NewLocal(limits, nil), b)
	defer stop()
	other := text("o1", "1")
	other.App = "wxother"
	for _, p := range []*callback.Push{text("o1", "1"), other} {
		if got, outcome, err := r.Reply(t.Context(), p); got != nil || outcome != push.NotAwaited || err != nil {
			t.Errorf("%v, %s, %v", got, outcome, err)
		}
	}
}
