package apisecurity

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// The request that WeChat publishes, signed with the private key that it publishes.
// https://developers.weixin.qq.com/miniprogram/dev/server/getting_started/api_signature
const (
	vectorID      = "wxba6223c06417af7b"
	vectorAddress = "https://api.weixin.qq.com/wxa/getuserriskrank"
	vectorStamp   = "1635927954"
	vectorTime    = 1635927954
	vectorBody    = `{"iv":"fmW/zNxXlytUZBgj","data":"0IDVdrPtSPF/Oe2CTXCV2vVNPbVJdJlP2WaTMQnoYLh5iCrrSNfQFh25EnStDMf0hLlVNBCZQtf9NaV0m4aRA4AAYIO7oR/Ge+4yY4EmZp5EVPB42xjScgMx5X3D4VdLCfynXIUKUtZHZvk1zmLVE3RauzJgiM1BB1CPmwcENo3MTJ0z8Vfkf5tMv54kOXobDLlV5rfqKdAX7gM/rP82DgZdt9vvZX44ipdbHIjJvw83ZXAFtvftdVw2Qd8=","authtag":"5qeM/2vZv+6KtScN94IpMg=="}`
	vectorMark    = "wcSSWHZunjz9VKl9q+If9deiyECXDAELfAJNZ4+5T+NhFr8zfhkwdQtlgQ7nN5xs99R57La9UjBTRBGge2KYyshWtw7HIMPAqWNsnpHvx0b2f7s6Bt7OpfOQLlIfNgepgTVmUwrqW8/7A12szj7tCe/bRFilwnaX6N0w4duHlfL7ic7IIZXouvy9dLRAa5GtEk1eD/LPWRiKh0SvJ3znPY/pSiQW9zSkXVdj9UGGM8qcKLzPGJ7gSmt3ZOPkFapk9wqFmhJwQj//xN5+hUlr2UiNPMNSHve5Y2ADLsNHqk5t7RfAZ8nW9/8lzhVt4t+toy1FeehxCGIC8qgmjIl1hg=="
	vectorPlain   = `{"appid":"wxba6223c06417af7b","client_ip":"127.0.0.1","openid":"oEWzBfmdLqhFS2mTXCo2E4Y9gJAM","scene":0}` // sorted
)

func vectorApp(t *testing.T) *App {
	t.Helper()
	signer, err := os.ReadFile("../../wechat/apisecurity/testdata/private.pem") // as published
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(vectorID, Keys{
		Encrypt: Key{"fa05fe1e5bcc79b81ad5ad4b58acf787", "otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY="},
		Sign:    Key{"97845f6ed842ea860df6fdf65941ff56", string(signer)},
		Verify:  Key{"0a", string(signer)},
	}, time.Unix(vectorTime, 0))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func vectorHeader() http.Header {
	h := http.Header{}
	h.Set("Wechatmp-AppId", vectorID)
	h.Set("Wechatmp-TimeStamp", vectorStamp)
	h.Set("Wechatmp-Signature", vectorMark)
	return h
}

// Every documented error that a request can cause.
func TestOpen(t *testing.T) {
	for name, test := range map[string]struct {
		bend func(h http.Header, body *string, id, address *string)
		at   time.Duration
		none bool // no keys are set
		want int
	}{
		"as published":      {},
		"no appid":          {bend: func(h http.Header, _, _, _ *string) { h.Del("Wechatmp-AppId") }, want: MissingAppID},
		"no timestamp":      {bend: func(h http.Header, _, _, _ *string) { h.Del("Wechatmp-TimeStamp") }, want: MissingTimestamp},
		"no signature":      {bend: func(h http.Header, _, _, _ *string) { h.Del("Wechatmp-Signature") }, want: MissingSignature},
		"another's token":   {bend: func(_ http.Header, _, id, _ *string) { *id = "wx1" }, want: AppIDMismatch},
		"no keys":           {none: true, want: NoSymmetricKey},
		"old":               {at: window + time.Second, want: ExpiredTimestamp},
		"from the future":   {at: -window - time.Second, want: ExpiredTimestamp},
		"not a time":        {bend: func(h http.Header, _, _, _ *string) { h.Set("Wechatmp-TimeStamp", "x") }, want: ExpiredTimestamp},
		"another body":      {bend: func(_ http.Header, body, _, _ *string) { *body += " " }, want: InvalidSignature},
		"another call":      {bend: func(_ http.Header, _, _, address *string) { *address += "2" }, want: InvalidSignature},
		"another timestamp": {bend: func(h http.Header, _, _, _ *string) { h.Set("Wechatmp-TimeStamp", "1635927955") }, want: InvalidSignature},
		"not base64":        {bend: func(h http.Header, _, _, _ *string) { h.Set("Wechatmp-Signature", "#") }, want: InvalidSignature},
	} {
		t.Run(name, func(t *testing.T) {
			a, h, body, id, address := vectorApp(t), vectorHeader(), vectorBody, vectorID, vectorAddress
			if test.bend != nil {
				test.bend(h, &body, &id, &address)
			}
			if test.none {
				a = nil
			}
			plain, errcode := a.Open(id, address, h, []byte(body), time.Unix(vectorTime, 0).Add(test.at))
			if errcode != test.want || (errcode == 0) != (string(plain) == vectorPlain) {
				t.Errorf("%s, errcode %d; want %d", plain, errcode, test.want)
			}
		})
	}
}

// What is signed, but cannot be decrypted, or lacks what must be inside.
func TestOpenInvalidEncryption(t *testing.T) {
	a := vectorApp(t)
	now := time.Unix(vectorTime, 0)
	for name, plain := range map[string]string{
		"not JSON":        "x",
		"no nonce":        `{"_appid":"` + vectorID + `","_timestamp":1635927954}`,
		"another appid":   `{"_n":"x","_appid":"wx1","_timestamp":1635927954}`,
		"another time":    `{"_n":"x","_appid":"` + vectorID + `","_timestamp":1}`,
		"an empty object": `{}`,
	} {
		body, err := a.encrypt(vectorAddress, vectorStamp, []byte(plain), Good)
		if err != nil {
			t.Fatal(err)
		}
		if errcode := openSigned(t, a, body, now); errcode != InvalidEncryption {
			t.Errorf("%s: errcode %d", name, errcode)
		}
	}
	wrong, err := a.encrypt(vectorAddress, vectorStamp, []byte(`{}`), WrongTag)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{string(wrong), `{"a":1}`, `[]`} {
		if errcode := openSigned(t, a, []byte(body), now); errcode != InvalidEncryption {
			t.Errorf("%s: errcode %d", body, errcode)
		}
	}
}

// openSigned signs a body with the mini program's key, which is WeChat's here, too.
func openSigned(t *testing.T, a *App, body []byte, now time.Time) int {
	t.Helper()
	h := vectorHeader()
	if err := a.signers[0].mark(h, "", hash(vectorAddress, vectorID, vectorStamp, body), Good); err != nil {
		t.Fatal(err)
	}
	_, errcode := a.Open(vectorID, vectorAddress, h, body, now)
	return errcode
}

// A response has what the documentation says, and each spoiled one differs from it.
func TestSeal(t *testing.T) {
	a, now := vectorApp(t), time.Unix(vectorTime, 0)
	for _, plain := range []string{`{"errcode":0}`, `{}`} {
		h, body, err := a.Seal(vectorAddress, []byte(plain), now, Good)
		if err != nil {
			t.Fatal(err)
		}
		var sealed envelope
		if err := json.Unmarshal(body, &sealed); err != nil || h.Get("Wechatmp-Serial") != "0a" || h.Get("Wechatmp-TimeStamp") != vectorStamp {
			t.Fatalf("%s, %v, %v", body, h, err)
		}
		opened, err := a.aead.Open(nil, sealed.IV, append(sealed.Data, sealed.Tag...), a.additional(vectorAddress, vectorStamp))
		if err != nil {
			t.Fatal(err)
		}
		if rest, errcode := a.parameters(opened, vectorTime); errcode != 0 || string(rest) != plain {
			t.Errorf("%s, errcode %d", rest, errcode)
		}
	}
	if len(Spoils()) != 10 {
		t.Errorf("%d spoils", len(Spoils()))
	}
	for _, spoil := range Spoils() {
		h, body, err := a.Seal(vectorAddress, []byte(`{}`), now, spoil)
		if err != nil {
			t.Fatal(err)
		}
		plain := spoil == PlainSuccess
		if plain != (string(body) == `{}`) || (plain || spoil == Unsigned) != (h == nil) {
			t.Errorf("%s: %s, %v", spoil, body, h)
		}
		if spoil == DeprecatedUnknown && (h.Get("Wechatmp-Serial-Deprecated") == "" || h.Get("Wechatmp-Serial") == "0a") {
			t.Errorf("%s: %v", spoil, h)
		}
	}
}

func TestKeys(t *testing.T) {
	now := time.Unix(vectorTime, 0)
	keys, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(vectorID, keys, now)
	if err != nil {
		t.Fatal(err)
	}
	shown := a.Console()
	if shown.Encrypt != keys.Encrypt || len(shown.Verify) != 1 || !strings.HasPrefix(shown.Verify[0].Value, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%+v", shown)
	}
	for name, change := range map[string]func(*Keys){
		"encrypt": func(k *Keys) { k.Encrypt.Value = "AAAA" },
		"sign":    func(k *Keys) { k.Sign.Value = "x" },
		"verify":  func(k *Keys) { k.Verify.Value = strings.Replace(keys.Verify.Value, "MII", "AAA", 1) },
		"serial":  func(k *Keys) { k.Sign.Serial = "" },
	} {
		bad := keys
		change(&bad)
		if _, err := New(vectorID, bad, now); !errors.Is(err, ErrBadKeys) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Change(Key{"0b", "x"}, now); !errors.Is(err, ErrBadKeys) {
		t.Error(err)
	}
}
