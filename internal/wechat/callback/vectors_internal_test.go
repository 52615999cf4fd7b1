package callback

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// The samples of WeChat's page on message pushes, in 安全模式.
// https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
const (
	sampleApp       = "wxba5fad812f8e6fb9"
	sampleToken     = "AAAAA"
	sampleNonce     = "415670741"
	sampleEncrypted = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
	sampleMessage   = `{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`
	sampleReply     = `{"demo_resp":"good luck"}`
	sampleSealed    = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
)

func sampleReceiver(t *testing.T) *Receiver {
	t.Helper()
	c, err := New(Config{AppID: sampleApp, Token: sampleToken, EncodingAESKey: strings.Repeat("A", 43), Now: func() time.Time { return time.Unix(1714112445, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openSample(t *testing.T, body string) Push {
	t.Helper()
	push, err := sampleReceiver(t).Open(url.Values{
		"signature": {"6c5c811b55cc85e0e1b54100749188c20beb3f5d"}, "timestamp": {"1714112445"}, "nonce": {sampleNonce},
		"openid": {"o9AgO5Kd5ggOC-bXrbNODIiE3bGY"}, "encrypt_type": {"aes"}, "msg_signature": {"046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"},
	}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return push
}

func TestPublishedMessage(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"ToUserName": "gh_97417a04a28d", "Encrypt": "` + sampleEncrypted + `"}`,
		`<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName><Encrypt><![CDATA[` + sampleEncrypted + `]]></Encrypt></xml>`,
		// 兼容模式: the body also contains the plain message, which must be ignored.
		`{"ToUserName": "gh_97417a04a28d", "MsgType":"event", "Event":"forged", "Encrypt": "` + sampleEncrypted + `"}`,
	} {
		push := openSample(t, body)
		if string(push.Message) != sampleMessage || push.Name != "debug_demo" || push.From != "o9AgO5Kd5ggOC-bXrbNODIiE3bGY" || push.App != sampleApp {
			t.Errorf("got %+v of %s", push, body)
		}
	}
}

// TestPublishedReply encrypts with the sample's random bytes and time.
func TestPublishedReply(t *testing.T) {
	t.Parallel()
	push := openSample(t, `{"ToUserName": "gh_97417a04a28d", "Encrypt": "`+sampleEncrypted+`"}`)
	plain, err := push.format([]byte(sampleReply))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := push.seal("707722b803182950", "1713424427", plain)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Encrypt":"` + sampleSealed + `","MsgSignature":"1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1","TimeStamp":1713424427,"Nonce":"` + sampleNonce + `"}`
	if string(reply.Body) != want || reply.ContentType != "application/json; charset=utf-8" {
		t.Errorf("%s %s", reply.ContentType, reply.Body)
	}
}
