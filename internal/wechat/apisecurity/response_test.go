package apisecurity

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	ownSerial = "0000000000000000000000000000000a"
	newSerial = "0000000000000000000000000000000b"
)

// publicPEM is the public half of the published private key.
func publicPEM(t testing.TB) string {
	t.Helper()
	key, err := Key{ownSerial, vectorKey}.private()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: raw}))
}

// fakeWeChat signs responses with the published private key, in place of WeChat.
type fakeWeChat struct {
	*Security

	t testing.TB
}

func newFakeWeChat(t testing.TB) *fakeWeChat {
	t.Helper()
	cfg := vectorConfig()
	cfg.Verify = append(cfg.Verify, Key{ownSerial, publicPEM(t)})
	return &fakeWeChat{mustNew(t, cfg), t}
}

const stampOf = "1635927956"

// response encrypts and signs a plaintext.
func (f *fakeWeChat) response(plain string) (http.Header, []byte) {
	f.t.Helper()
	body := f.encrypt(vectorURL, stampOf, make([]byte, 12), []byte(plain))
	h := http.Header{}
	h.Set("Wechatmp-Appid", vectorAppID)
	h.Set("Wechatmp-TimeStamp", stampOf)
	h.Set("Wechatmp-Serial", ownSerial)
	h.Set("Wechatmp-Signature", f.mark(vectorURL, stampOf, body))
	return h, body
}

func (f *fakeWeChat) mark(where, stamp string, body []byte) string {
	f.t.Helper()
	digest := sha256.Sum256(f.signed(where, stamp, body))
	mark, err := rsa.SignPSS(rand.Reader, f.sign, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: saltBytes})
	if err != nil {
		f.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(mark)
}

const goodPlain = `{"_n":"x","_appid":"` + vectorAppID + `","_timestamp":` + stampOf + `,"errcode":0,"list":[{"a":1.50}]}`

func TestOpen(t *testing.T) {
	f := newFakeWeChat(t)
	for name, test := range map[string]struct {
		plain string
		bend  func(h http.Header, body []byte) []byte
		want  error
		body  string // the plain body
		as    Outcome
	}{
		"verified": {body: `{"errcode":0,"list":[{"a":1.50}]}`, as: Verified},
		"only the added members": {
			plain: `{"_timestamp":` + stampOf + `,"_n":"x","_appid":"` + vectorAppID + `"}`, body: `{}`, as: Verified,
		},
		"deprecated": {bend: func(h http.Header, body []byte) []byte {
			h.Set("Wechatmp-Serial-Deprecated", ownSerial)
			h.Set("Wechatmp-Signature-Deprecated", h.Get("Wechatmp-Signature"))
			h.Set("Wechatmp-Serial", newSerial)
			h.Set("Wechatmp-Signature", "AAAA")
			return body
		}, body: `{"errcode":0,"list":[{"a":1.50}]}`, as: Deprecated},
		"current serial known but its signature wrong, deprecated signature right": {bend: func(h http.Header, body []byte) []byte {
			h.Set("Wechatmp-Serial-Deprecated", ownSerial)
			h.Set("Wechatmp-Signature-Deprecated", h.Get("Wechatmp-Signature"))
			h.Set("Wechatmp-Serial", responseSerial)
			return body
		}, want: ErrSignature},
		"deprecated only, unknown serial": {bend: func(h http.Header, body []byte) []byte {
			h.Set("Wechatmp-Serial-Deprecated", "c0ffee")
			h.Set("Wechatmp-Signature-Deprecated", h.Get("Wechatmp-Signature"))
			h.Set("Wechatmp-Serial", newSerial)
			return body
		}, want: ErrSerial},
		"deprecated without a current one": {bend: func(h http.Header, body []byte) []byte {
			h.Set("Wechatmp-Serial-Deprecated", ownSerial)
			h.Set("Wechatmp-Signature-Deprecated", h.Get("Wechatmp-Signature"))
			h.Del("Wechatmp-Serial")
			return body
		}, want: ErrUnsigned},
		"unknown serial":         {bend: set("Wechatmp-Serial", newSerial), want: ErrSerial},
		"no signature":           {bend: set("Wechatmp-Signature", ""), want: ErrUnsigned},
		"no serial":              {bend: set("Wechatmp-Serial", ""), want: ErrUnsigned},
		"no timestamp":           {bend: set("Wechatmp-TimeStamp", ""), want: ErrUnsigned},
		"no appid":               {bend: set("Wechatmp-Appid", ""), want: ErrUnsigned},
		"another appid":          {bend: set("Wechatmp-Appid", "wx0000000000000001"), want: ErrAppID},
		"signature not base64":   {bend: set("Wechatmp-Signature", "#"), want: ErrSignature},
		"wrong signature":        {bend: set("Wechatmp-Signature", responseSignature), want: ErrSignature},
		"another timestamp":      {bend: set("Wechatmp-TimeStamp", "1635927957"), want: ErrSignature},
		"timestamp not a number": {bend: set("Wechatmp-TimeStamp", "soon"), want: ErrTimestamp},
		"timestamp zero": {
			bend: set("Wechatmp-TimeStamp", "-9223372035218847847"), want: ErrTimestamp,
		},
		"two signatures": {bend: func(h http.Header, body []byte) []byte {
			h.Add("Wechatmp-Signature", "AAAA")
			return body
		}, want: ErrUnsigned},
		"another body": {bend: func(_ http.Header, body []byte) []byte {
			return bytes.Replace(body, []byte(`"iv"`), []byte(` "iv"`), 1)
		}, want: ErrSignature},
		"inner appid":      {plain: strings.Replace(goodPlain, vectorAppID, "wx0000000000000001", 1), want: ErrMismatch},
		"inner timestamp":  {plain: strings.Replace(goodPlain, stampOf, "1635927955", 1), want: ErrMismatch},
		"timestamp text":   {plain: strings.Replace(goodPlain, stampOf, `"`+stampOf+`"`, 1), want: ErrMismatch},
		"no inner appid":   {plain: `{"_timestamp":` + stampOf + `}`, want: ErrMismatch},
		"duplicate member": {plain: strings.Replace(goodPlain, `"_n":"x"`, `"errcode":1`, 1), want: ErrMismatch},
		"not an object":    {plain: `[]`, want: ErrMismatch},
		"plain success":    {bend: replaceBody(`{"errcode":0,"risk_rank":0}`), want: ErrNotEncrypted},
		"plain without errcode": {
			bend: replaceBody(`{"risk_rank":0}`), want: ErrNotEncrypted,
		},
		"plain error": {
			bend: replaceBody(`{"errcode":40001,"errmsg":"invalid \"credential\"","risk_rank":0}`),
			body: `{"errcode":40001,"errmsg":"invalid \"credential\""}`, as: PlainError,
		},
		"plain error, as text":           {bend: replaceBody(`{"errcode":"40001"}`), body: `{"errcode":40001,"errmsg":""}`, as: PlainError},
		"plain error, duplicate errcode": {bend: replaceBody(`{"errcode":40001,"errcode":0}`), want: ErrNotEncrypted},
		"plain zero, disguised":          {bend: replaceBody(`{"errcode":"000"}`), want: ErrNotEncrypted},
		"empty":                          {bend: replaceBody(""), want: ErrNotEncrypted},
		"HTML":                           {bend: replaceBody("<html>"), want: ErrNotEncrypted},
		"image":                          {bend: replaceBody("\xff\xd8\xff"), want: ErrNotEncrypted},
	} {
		t.Run(name, func(t *testing.T) {
			plain := test.plain
			if plain == "" {
				plain = goodPlain
			}
			h, body := f.response(plain)
			if test.bend != nil {
				body = test.bend(h, body)
			}
			opened, err := f.Open(mustURL(t, vectorURL), h, body)
			if !errors.Is(err, test.want) || string(opened.Body) != test.body || opened.Outcome != test.as {
				t.Errorf("%s as %q, %v; want %s as %q, %v", opened.Body, opened.Outcome, err, test.body, test.as, test.want)
			}
			if test.want != nil && (!errors.Is(err, ErrRefused) || OutcomeOf(err) == "") {
				t.Errorf("%v is not a refusal with an outcome", err)
			}
		})
	}
}

func set(name, value string) func(http.Header, []byte) []byte {
	return func(h http.Header, body []byte) []byte {
		h.Set(name, value)
		return body
	}
}

func replaceBody(with string) func(http.Header, []byte) []byte {
	return func(http.Header, []byte) []byte { return []byte(with) }
}

// A wrong tag of the right size, with a valid signature.
func TestOpenWrongTag(t *testing.T) {
	f := newFakeWeChat(t)
	h, body := f.response(goodPlain)
	at := bytes.Index(body, []byte(`"authtag":"`)) + len(`"authtag":"`)
	body[at] ^= 1
	h.Set("Wechatmp-Signature", f.mark(vectorURL, stampOf, body))
	if opened, err := f.Open(mustURL(t, vectorURL), h, body); !errors.Is(err, ErrDecrypt) || opened.Body != nil {
		t.Errorf("%s, %v", opened.Body, err)
	}
}

// A response to one call is not accepted as the response to another call, nor as a response of
// another host.
func TestOpenOtherCall(t *testing.T) {
	f := newFakeWeChat(t)
	h, body := f.response(goodPlain)
	for _, other := range []string{
		"https://api.weixin.qq.com/wxa/msg_sec_check", "http://api.weixin.qq.com/wxa/getuserriskrank", "https://other.example/wxa/getuserriskrank",
	} {
		if _, err := f.Open(mustURL(t, other), h, body); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", other, err)
		}
	}
	h.Set("Wechatmp-Signature", f.mark("https://api.weixin.qq.com/wxa/plugin", stampOf, body))
	if _, err := f.Open(mustURL(t, "https://api.weixin.qq.com/wxa/plugin"), h, body); !errors.Is(err, ErrDecrypt) {
		t.Errorf("signed for the other call, encrypted for this one: %v", err)
	}
}

func TestWindow(t *testing.T) {
	f := newFakeWeChat(t)
	h, body := f.response(goodPlain)
	for offset, want := range map[time.Duration]error{
		-Window: nil, Window: nil, -Window - time.Second: ErrTimestamp, Window + time.Second: ErrTimestamp,
	} {
		f.now = func() time.Time { return time.Unix(responseTime, 0).Add(offset) }
		if _, err := f.Open(mustURL(t, vectorURL), h, body); !errors.Is(err, want) {
			t.Errorf("%v: %v", offset, err)
		}
	}
}

// FuzzOpen: for any input, only a signed and encrypted response opens. A plain error has only
// an errcode and an errmsg.
func FuzzOpen(f *testing.F) {
	w := newFakeWeChat(f)
	h, body := w.response(goodPlain)
	f.Add(body, h.Get("Wechatmp-Serial"), h.Get("Wechatmp-Signature"), stampOf)
	f.Add([]byte(responseBody), responseSerial, responseSignature, stampOf)
	f.Add([]byte(`{"errcode":40001,"errmsg":"x","risk_rank":0}`), "", "", "")
	f.Add([]byte(`{"iv":"","data":null,"authtag":7}`), "x", "x", "9223372036854775807")
	target := mustURL(f, vectorURL)
	genuine := map[string]string{string(body): `{"errcode":0,"list":[{"a":1.50}]}`, responseBody: responsePlain}
	f.Fuzz(func(t *testing.T, body []byte, serial, mark, stamp string) {
		h := http.Header{
			"Wechatmp-Appid": {vectorAppID}, "Wechatmp-Serial": {serial}, "Wechatmp-Signature": {mark}, "Wechatmp-Timestamp": {stamp},
		}
		opened, err := w.Open(target, h, body)
		switch {
		case err != nil:
			if !errors.Is(err, ErrRefused) || opened.Body != nil {
				t.Errorf("%v and the body %s", err, opened.Body)
			}
		case opened.Outcome == PlainError:
			if !bytes.HasPrefix(opened.Body, []byte(`{"errcode":`)) || bytes.HasPrefix(opened.Body, []byte(`{"errcode":0`)) {
				t.Errorf("not an error: %s", opened.Body)
			}
			if again, err := openPlain(opened.Body); err != nil || !bytes.Equal(again.Body, opened.Body) {
				t.Errorf("%s reads as %s, %v", opened.Body, again.Body, err)
			}
		default:
			if genuine[string(body)] != string(opened.Body) {
				t.Errorf("forged: %s", opened.Body)
			}
		}
	})
}
