package callback

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

const (
	textXML  = `<xml><ToUserName><![CDATA[o1]]></ToUserName><CreateTime>1648014186</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[a]]]]><![CDATA[>b]]></Content></xml>`
	textJSON = `{"ToUserName":"o1","CreateTime":1648014186,"MsgType":"text","Content":"a]]>b"}`
)

// TestFormat: a service may reply in either format, independent of the format of the account.
func TestFormat(t *testing.T) {
	t.Parallel()
	const news = `{"ArticleCount":2,"Articles":[{"Title":"a"},{"Title":"b"}]}`
	const newsXML = `<xml><ArticleCount>2</ArticleCount><Articles><item><Title><![CDATA[a]]></Title></item><item><Title><![CDATA[b]]></Title></item></Articles></xml>`
	for name, row := range map[string]struct {
		isXML    bool
		in, want string
	}{
		"JSON":          {false, " " + textJSON + "\n", textJSON},
		"XML":           {true, textXML + "\n", textXML},
		"JSON for XML":  {true, textJSON, textXML},
		"XML for JSON":  {false, textXML, textJSON},
		"news":          {true, news, newsXML},
		"news for JSON": {false, newsXML, news},
		"none":          {true, `{}`, `<xml></xml>`},
	} {
		push := Push{envelope: envelope{isXML: row.isXML}}
		if got, err := push.format([]byte(row.in)); err != nil || string(got) != row.want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, row.want)
		}
	}
	for name, row := range map[string]struct {
		isXML bool
		in    string
	}{
		"a text": {false, "thanks"}, "an array": {false, "[]"}, "HTML": {true, "<html><p>502</p></html>"}, "empty": {false, ""},
		"an entity": {true, `<!DOCTYPE x [<!ENTITY e "x">]><xml><A>&e;</A></xml>`}, "too long": {false, `{"a":"` + strings.Repeat("x", MaxBytes) + `"}`},
		"a boolean": {true, `{"a":true}`}, "null": {true, `{"a":null}`}, "a name": {true, `{"a b":1}`}, "an injected name": {true, `{"a><b":1}`},
		"a control character": {true, `{"a":"\u0001"}`}, "duplicate": {false, `{"a":1,"a":2}`},
	} {
		push := Push{envelope: envelope{isXML: row.isXML}}
		if got, err := push.format([]byte(row.in)); !errors.Is(err, ErrReply) {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
}

// TestReply decrypts the reply to WeChat's sample as if it were a message.
func TestReply(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2 {
		for _, isXML := range []bool{false, true} {
			push := openSample(t, `{"Encrypt":"`+sampleEncrypted+`"}`)
			push.isXML = isXML
			reply, err := push.Reply([]byte(textJSON))
			if err != nil {
				t.Fatal(err)
			}
			object, gotXML, err := readMessage(reply.Body)
			if err != nil || gotXML != isXML {
				t.Fatalf("%s: %v", reply.Body, err)
			}
			all, err := members(object)
			if err != nil {
				t.Fatal(err)
			}
			text := func(name string) string { s, _ := textOrNumber(all[name]); return s }
			again, err := sampleReceiver(t).Open(url.Values{
				"timestamp": {text("TimeStamp")}, "nonce": {text("Nonce")}, "msg_signature": {text("MsgSignature")},
			}, reply.Body)
			if err != nil || string(again.Message) != textJSON || text("Nonce") != sampleNonce {
				t.Errorf("got %s of %s: %v", again.Message, reply.Body, err)
			}
			if seen[text("Encrypt")] {
				t.Error("two replies have the same ciphertext")
			}
			seen[text("Encrypt")] = true
		}
	}
}

func TestReplyRefuses(t *testing.T) {
	t.Parallel()
	if _, err := (Push{}).Reply([]byte(textJSON)); !errors.Is(err, ErrReply) {
		t.Errorf("to a plain message: %v", err)
	}
	push := openSample(t, `{"Encrypt":"`+sampleEncrypted+`"}`)
	push.nonce = "1]]><x>" // visible ASCII, so that a signed request may contain it
	if _, err := push.Reply([]byte(textJSON)); !errors.Is(err, ErrReply) {
		t.Errorf("to an invalid nonce: %v", err)
	}
	if _, err := push.Reply([]byte("success")); !errors.Is(err, ErrReply) {
		t.Errorf("with a text that is not a message: %v", err)
	}
}
