package callback_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/callback"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const (
	pushToken = "SECRETtoken0"
	pushKey   = "SECRETkeyabcdefghijklmnopqrstuvwxyz01234567"
)

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (want == nil) != (got == nil) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if got != nil && strings.Contains(got.Error(), "SECRET") {
		t.Fatalf("the error contains a secret: %v", got)
	}
}

func receiver(t testing.TB, key string, now func() time.Time) *callback.Receiver {
	t.Helper()
	c, err := callback.New(callback.Config{
		AppID: auth.AppID(wechatsim.DefaultApp.ID), Component: "wxcomponent", Token: pushToken, EncodingAESKey: key, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The samples of WeChat's page on message pushes.
func TestPublishedSignatures(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ stamp, nonce, signature string }{
		{"1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
	} {
		var seconds int64
		_, _ = fmt.Sscan(row.stamp, &seconds)
		c, err := callback.New(callback.Config{AppID: "wx0123456789abcdef", Token: "AAAAA", Now: func() time.Time { return time.Unix(seconds, 0) }})
		wantErr(t, err, nil)
		query := url.Values{"signature": {row.signature}, "timestamp": {row.stamp}, "nonce": {row.nonce}, "echostr": {"4375120948345356249"}}
		echo, err := c.Echo(query)
		wantErr(t, err, nil)
		if echo != "4375120948345356249" {
			t.Errorf("got %q", echo)
		}
		if got := simpush.Signature("AAAAA", row.stamp, row.nonce); got != row.signature {
			t.Errorf("the simulator signs %s", got)
		}
		query.Set("signature", strings.ToUpper(row.signature))
		_, err = c.Echo(query)
		wantErr(t, err, auth.ErrForbidden)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	user := auth.User{App: auth.AppID(wechatsim.DefaultApp.ID), OpenID: auth.OpenID(wechatsim.OpenIDFor(wechatsim.DefaultApp.ID, "alice"))}
	for _, key := range []string{"", pushKey} {
		for _, isXML := range []bool{false, true} {
			to := simpush.Target{Token: pushToken, EncodingAESKey: key, XML: isXML}
			c := receiver(t, key, nil)
			for event, want := range map[string]callback.Push{
				"user_authorization_revoke":       {Event: callback.Revoked, User: user},
				"user_authorization_cancellation": {Event: callback.Cancelled, User: user},
				"user_info_modified":              {Event: callback.Other},
			} {
				r, err := simpush.Event(sim, wechatsim.User{}, event, to)
				wantErr(t, err, nil)
				got, err := c.Open(r.Query, r.Body)
				wantErr(t, err, nil)
				if got.Event != want.Event || got.User != want.User {
					t.Errorf("%s, encrypted %v, XML %v: got %+v", event, key != "", isXML, got)
				}
			}
		}
	}
}

// message signs a message of the test.
func message(t testing.TB, key, text string) simpush.Request {
	t.Helper()
	sim := wechatsim.New(wechatsim.Config{})
	r, err := simpush.Message(sim, text, simpush.Target{Token: pushToken, EncodingAESKey: key, Receiver: wechatsim.DefaultApp.ID})
	wantErr(t, err, nil)
	return r
}

func TestMessages(t *testing.T) {
	t.Parallel()
	revoke := func(openid, more string) string {
		return `{"MsgType":"event","Event":"user_authorization_revoke","OpenID":"` + openid + `"` + more + `}`
	}
	for name, row := range map[string]struct {
		text string
		want callback.Push
		err  error
	}{
		"a text":              {`{"MsgType":"text","Content":"user_authorization_revoke","CreateTime":1}`, callback.Push{Event: callback.Other}, nil},
		"a text in GBK":       {"{\"MsgType\":\"text\",\"Content\":\"\xc4\xe3\"}", callback.Push{Event: callback.Other}, nil},
		"Event":               {`{"MsgType":"Event","Event":"user_authorization_revoke","OpenID":"o"}`, callback.Push{Event: callback.Revoked, User: auth.User{App: auth.AppID(wechatsim.DefaultApp.ID), OpenID: "o"}}, nil},
		"a plugin's user":     {`{"MsgType":"event","Event":"user_authorization_revoke","OpenPID":"p","PluginID":"wx"}`, callback.Push{Event: callback.Revoked}, nil},
		"another app":         {revoke("o", `,"AppID":"wxother"`), callback.Push{}, auth.ErrForbidden},
		"a bad openid":        {revoke("../x", ""), callback.Push{}, auth.ErrInvalidRequest},
		"two openids":         {revoke("a", `," OpenID":"b"`), callback.Push{}, auth.ErrInvalidRequest},
		"two openids, in XML": {`<xml><OpenID>a</OpenID><OpenID>b</OpenID></xml>`, callback.Push{}, auth.ErrInvalidRequest},
		"an openid's type":    {`{"OpenID":1}`, callback.Push{}, auth.ErrInvalidRequest},
		"not an object":       {`[]`, callback.Push{}, auth.ErrInvalidRequest},
		"empty":               {` `, callback.Push{}, auth.ErrInvalidRequest},
		"cut off":             {`{"MsgType":"event"`, callback.Push{}, auth.ErrInvalidRequest},
		"cut off, in XML":     {`<xml><MsgType>`, callback.Push{}, auth.ErrInvalidRequest},
		"another root":        {`<html></html>`, callback.Push{}, auth.ErrInvalidRequest},
		"deep":                {strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17), callback.Push{}, auth.ErrInvalidRequest},
		"deep arrays":         {`{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + "}", callback.Push{}, auth.ErrInvalidRequest},
		"nested duplicate":    {`{"a":{"b":1,"b":2}}`, callback.Push{}, auth.ErrInvalidRequest},
		"more than one":       {`{}{}`, callback.Push{}, auth.ErrInvalidRequest},
		"an entity":           {`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><OpenID>&e;</OpenID></xml>`, callback.Push{}, auth.ErrInvalidRequest},
		"Encrypt member":      {`{"Encrypt":"x"}`, callback.Push{}, auth.ErrAppMisconfigured},
		"a form":              {`MsgType=event`, callback.Push{}, auth.ErrInvalidRequest},
		"members elsewhere":   {`{"data":{"MsgType":"event","Event":"user_authorization_revoke","OpenID":"o"}}`, callback.Push{Event: callback.Other}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, key := range []string{"", pushKey} {
				r := message(t, key, row.text)
				got, err := receiver(t, key, nil).Open(r.Query, r.Body)
				wantErr(t, err, row.err)
				if got.Event != row.want.Event || got.User != row.want.User {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	const text = `{"MsgType":"event","Event":"user_authorization_revoke","OpenID":"o"}`
	flip := func(r *simpush.Request) {
		r.Body = bytes.Replace(r.Body, []byte(`"Encrypt":"`), []byte(`"Encrypt":"A`), 1)
	}
	set := func(name, value string) func(*simpush.Request) {
		return func(r *simpush.Request) { r.Query.Set(name, value) }
	}
	unset := func(name string) func(*simpush.Request) {
		return func(r *simpush.Request) { r.Query.Del(name) }
	}
	again := func(name string) func(*simpush.Request) {
		return func(r *simpush.Request) { r.Query.Add(name, r.Query.Get(name)) }
	}
	for name, row := range map[string]struct {
		key    string
		change func(*simpush.Request)
		err    error
	}{
		"signature":                       {"", set("signature", strings.Repeat("0", 40)), auth.ErrForbidden},
		"no signature":                    {"", unset("signature"), auth.ErrInvalidRequest},
		"two signatures":                  {"", again("signature"), auth.ErrInvalidRequest},
		"two times":                       {"", again("timestamp"), auth.ErrInvalidRequest},
		"no nonce":                        {"", unset("nonce"), auth.ErrInvalidRequest},
		"another nonce":                   {"", set("nonce", "1"), auth.ErrForbidden},
		"time":                            {"", set("timestamp", "+1"), auth.ErrInvalidRequest},
		"another time":                    {"", set("timestamp", fmt.Sprint(time.Now().Unix()+60)), auth.ErrForbidden},
		"a long nonce":                    {"", set("nonce", strings.Repeat("1", 300)), auth.ErrInvalidRequest},
		"msg_signature":                   {pushKey, set("msg_signature", strings.Repeat("0", 40)), auth.ErrForbidden},
		"no msg_signature":                {pushKey, unset("msg_signature"), auth.ErrInvalidRequest},
		"changed ciphertext":              {pushKey, flip, auth.ErrForbidden},
		"not encrypted":                   {pushKey, func(r *simpush.Request) { *r = message(t, "", text) }, auth.ErrForbidden},
		"not encrypted, with a signature": {pushKey, func(r *simpush.Request) { r.Body = []byte(text) }, auth.ErrForbidden},
		"endless":                         {"", func(r *simpush.Request) { r.Body = bytes.Repeat([]byte(" "), callback.MaxBytes+1) }, auth.ErrInvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := message(t, row.key, text)
			row.change(&r)
			_, err := receiver(t, row.key, nil).Open(r.Query, r.Body)
			wantErr(t, err, row.err)
		})
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for late, want := range map[time.Duration]error{
		0: nil, 4 * time.Minute: nil, -4 * time.Minute: nil, 6 * time.Minute: auth.ErrForbidden, -6 * time.Minute: auth.ErrForbidden,
	} {
		for _, key := range []string{"", pushKey} {
			r := message(t, key, `{}`)
			_, err := receiver(t, key, func() time.Time { return time.Now().Add(late) }).Open(r.Query, r.Body)
			wantErr(t, err, want)
		}
	}
}

func TestReceiver(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for appID, want := range map[string]error{
		wechatsim.DefaultApp.ID: nil, "wxcomponent": nil, "wxother": auth.ErrForbidden, "": auth.ErrForbidden,
	} {
		r, err := simpush.Message(sim, `{}`, simpush.Target{Token: pushToken, EncodingAESKey: pushKey, Receiver: appID})
		wantErr(t, err, nil)
		_, err = receiver(t, pushKey, nil).Open(r.Query, r.Body)
		wantErr(t, err, want)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []callback.Config{
		{}, {Token: "SE"}, {Token: "SECRET token"}, {Token: strings.Repeat("S", 33)},
		{Token: pushToken, EncodingAESKey: "SECRET"}, {Token: pushToken, EncodingAESKey: strings.Repeat("S", 42) + "="},
		{Token: pushToken, EncodingAESKey: strings.Repeat("S", 44)},
	} {
		_, err := callback.New(cfg)
		wantErr(t, err, auth.ErrAppMisconfigured)
	}
}

// FuzzDecrypt decrypts what an attacker who knows the token, but not the key, could send. It
// must not panic. (With CBC such an attacker can change a recorded message, so the token is a
// secret too.)
func FuzzDecrypt(f *testing.F) {
	c := receiver(f, pushKey, nil)
	good := message(f, pushKey, `{"MsgType":"event","Event":"user_authorization_revoke","OpenID":"o"}`)
	sealed := good.Body[bytes.Index(good.Body, []byte(`"Encrypt":"`))+len(`"Encrypt":"`) : len(good.Body)-2]
	raw, err := base64.StdEncoding.DecodeString(string(sealed))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-32])
	f.Add(raw[32:])
	f.Add(make([]byte, 16))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		text := base64.StdEncoding.EncodeToString(ciphertext)
		stamp := fmt.Sprint(time.Now().Unix())
		query := url.Values{"timestamp": {stamp}, "nonce": {"1"}, "msg_signature": {simpush.Signature(pushToken, stamp, "1", text)}}
		push, err := c.Open(query, []byte(`{"Encrypt":"`+text+`"}`))
		if err == nil && push.User != (auth.User{}) && !auth.ValidID(push.User.OpenID) {
			t.Fatalf("%x was decrypted to %+v", ciphertext, push)
		}
		if err != nil && !errors.Is(err, auth.ErrInvalidRequest) && !errors.Is(err, auth.ErrDecryptFailed) && !errors.Is(err, auth.ErrForbidden) {
			t.Fatal(err)
		}
	})
}

// FuzzMessage reads any JSON and XML that WeChat might push. The result has a valid user of the
// app or no user.
func FuzzMessage(f *testing.F) {
	c := receiver(f, "", nil)
	sim := wechatsim.New(wechatsim.Config{})
	for _, isXML := range []bool{false, true} {
		r, err := simpush.Event(sim, wechatsim.User{}, "user_authorization_revoke", simpush.Target{Token: pushToken, XML: isXML})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := message(t, "", "")
		push, err := c.Open(r.Query, body)
		if err == nil && push.User != (auth.User{}) && (!auth.ValidID(push.User.OpenID) || push.User.App != auth.AppID(wechatsim.DefaultApp.ID) || push.Event == callback.Other) {
			t.Fatalf("got %+v of %q", push, body)
		}
	})
}

// TestForwarded checks which data of a message a service receives.
func TestForwarded(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want callback.Push
	}{
		"Cloud Hosting's sample": {
			`{"ToUserName":"gh_919b00572d95","FromUserName":"oVneZ57wJnV-ObtCiGv26PRrOz2g","CreateTime":1651049934,"MsgType":"text","Content":"hi","MsgId":23637352235060880}`,
			callback.Push{From: "oVneZ57wJnV-ObtCiGv26PRrOz2g", MsgType: "text", MsgID: "23637352235060880"},
		},
		"a MsgId that is text": {`{"FromUserName":"o1","MsgType":"text","MsgId":"49d7_1555684067"}`, callback.Push{From: "o1", MsgType: "text", MsgID: "49d7_1555684067"}},
		"an event":             {`{"FromUserName":"o1","MsgType":"event","Event":"subscribe","UnionID":"u1"}`, callback.Push{From: "o1", UnionID: "u1", MsgType: "event", Name: "subscribe"}},
		"an authorization":     {`{"FromUserName":"o1","MsgType":"event","Event":"user_info_modified"," OpenID":"o2"}`, callback.Push{From: "o2", MsgType: "event", Name: "user_info_modified"}},
		"no user":              {`{"FromUserName":"not a\nuser","UnionID":"?","MsgType":"text"}`, callback.Push{MsgType: "text"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := message(t, pushKey, row.text)
			got, err := receiver(t, pushKey, nil).Open(r.Query, r.Body)
			wantErr(t, err, nil)
			if got.App != auth.AppID(wechatsim.DefaultApp.ID) || got.From != row.want.From || got.UnionID != row.want.UnionID ||
				got.MsgType != row.want.MsgType || got.Name != row.want.Name || got.MsgID != row.want.MsgID || string(got.Message) != strings.ReplaceAll(row.text, `" `, `"`) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestRevokeInfo: the consent that the user withdrew decides which data is deleted. If the
// value is missing or not documented, all data is deleted.
func TestRevokeInfo(t *testing.T) {
	t.Parallel()
	const nothing, keys, sessions = callback.EndsNothing, callback.EndsKeys, callback.EndsSessions
	for value, want := range map[string]callback.Ends{
		`"8"`: sessions, `8`: sessions, `"6"`: keys, `"12"`: keys, `"16"`: keys,
		`"1"`: nothing, `"2"`: nothing, `"3"`: nothing, `"4"`: nothing, `"5"`: nothing, `"7"`: nothing,
		`"13"`: nothing, `"14"`: nothing, `"15"`: nothing, `"18"`: nothing, `"19"`: nothing, `"20"`: nothing,
		``: sessions, `""`: sessions, `"9"`: sessions, `"17"`: sessions, `"21"`: sessions, `"1,8"`: sessions, `"01"`: sessions, `" 1"`: sessions, `1.0`: sessions,
	} {
		for event, want := range map[string]callback.Ends{"user_authorization_revoke": want, "user_authorization_cancellation": sessions, "user_info_modified": nothing} {
			member := ""
			if value != "" {
				member = `,"RevokeInfo":` + value
			}
			r := message(t, pushKey, `{"MsgType":"event","Event":"`+event+`","OpenID":"o"`+member+`}`)
			push, err := receiver(t, pushKey, nil).Open(r.Query, r.Body)
			wantErr(t, err, nil)
			if push.Ends != want {
				t.Errorf("%s %s: ends %d, want %d", event, value, push.Ends, want)
			}
		}
	}
	r := message(t, pushKey, `{"MsgType":"event","Event":"user_authorization_revoke","PluginID":"wx1","OpenPID":"p","RevokeInfo":"8"}`)
	push, err := receiver(t, pushKey, nil).Open(r.Query, r.Body)
	wantErr(t, err, nil)
	if push.Ends != nothing || push.User != (auth.User{}) {
		t.Errorf("a plugin's user: %+v", push)
	}
}
