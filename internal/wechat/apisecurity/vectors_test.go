package apisecurity

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// The vectors that WeChat publishes, of 服务端 API 签名加密指南.
// https://developers.weixin.qq.com/miniprogram/dev/server/getting_started/api_signature
const (
	vectorAppID     = "wxba6223c06417af7b"
	vectorURL       = "https://api.weixin.qq.com/wxa/getuserriskrank"
	vectorSymmetric = "otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY="
	vectorSN        = "fa05fe1e5bcc79b81ad5ad4b58acf787"

	requestTime  = "1635927954"
	requestIV    = "fmW/zNxXlytUZBgj"
	requestNonce = "o89QaPVsRu1yppIZzvSZc4"
	requestPlain = `{"appid":"wxba6223c06417af7b","openid":"oEWzBfmdLqhFS2mTXCo2E4Y9gJAM","scene":0,"client_ip":"127.0.0.1"}`
	requestFull  = `{"_n":"o89QaPVsRu1yppIZzvSZc4","_appid":"wxba6223c06417af7b","_timestamp":1635927954,` +
		`"appid":"wxba6223c06417af7b","openid":"oEWzBfmdLqhFS2mTXCo2E4Y9gJAM","scene":0,"client_ip":"127.0.0.1"}`
	requestBody = `{"iv":"fmW/zNxXlytUZBgj","data":"0IDVdrPtSPF/Oe2CTXCV2vVNPbVJdJlP2WaTMQnoYLh5iCrrSNfQFh25EnStDMf0hLlVNBCZQtf9NaV0m4aRA4AAYIO7oR/Ge+4yY4EmZp5EVPB42xjScgMx5X3D4VdLCfynXIUKUtZHZvk1zmLVE3RauzJgiM1BB1CPmwcENo3MTJ0z8Vfkf5tMv54kOXobDLlV5rfqKdAX7gM/rP82DgZdt9vvZX44ipdbHIjJvw83ZXAFtvftdVw2Qd8=","authtag":"5qeM/2vZv+6KtScN94IpMg=="}`
	// requestSignature is by the published private key.
	requestSignature = "wcSSWHZunjz9VKl9q+If9deiyECXDAELfAJNZ4+5T+NhFr8zfhkwdQtlgQ7nN5xs99R57La9UjBTRBGge2KYyshWtw7HIMPAqWNsnpHvx0b2f7s6Bt7OpfOQLlIfNgepgTVmUwrqW8/7A12szj7tCe/bRFilwnaX6N0w4duHlfL7ic7IIZXouvy9dLRAa5GtEk1eD/LPWRiKh0SvJ3znPY/pSiQW9zSkXVdj9UGGM8qcKLzPGJ7gSmt3ZOPkFapk9wqFmhJwQj//xN5+hUlr2UiNPMNSHve5Y2ADLsNHqk5t7RfAZ8nW9/8lzhVt4t+toy1FeehxCGIC8qgmjIl1hg=="

	responseTime      = 1635927956
	responseBody      = `{"iv":"r2WDQt56rEAmMuoR","data":"HExs66Ik3el+iM4IpeQ7SMEN934FRLFYOd3EmeaIrpP4EPTHckoco6O+PaoRZRa3lqaPRZT7r52f7LUok6gLxc6cdR8C4vpIIfh4xfLC4L7FNy9GbuMK1hcoi8b7gkWJcwZMkuCFNEDmqn3T49oWzAQOrY4LZnnnykv6oUJotdAsnKvmoJkLK7hRh7M2B1d2UnTnRuoIyarXc5Iojwoghx4BOvnV","authtag":"z2BFD8QctKXTuBlhICGOjQ=="}`
	responseHash      = "f797cafd9e323df336fb427569fbe67e20d5bc96dd68a3f54d66b54e6e08bb27"
	responseSerial    = "79ba700ea147819f640941bceb38b1d1"
	responseSignature = "Ht0VfQkkEweJ4hU266C14Aj64H9AXfkwNi5zxUZETCvR2svU1ZYdosDhFX/voLj1TyszqKsVxAlENGt7PPZZ8RQX7jnA4SKhiPUhW4LTbyTenisHJ+ohSfDjYnXavjQsBHspFS+BlPHuSSJ2xyQzw1+HuC6nid09ZL4FnGSYo4OI5MJrSb9xLzIVZMIDuUQchGKi/KaB1KzxECLEZcfjqbAgmxC7qOmuBLyO1WkHYDM95NJrHJWba5xv4wrwPru9yYTJSNRnlM+zrW5w9pOubC4Jtj3szTAEuOz9AcqUmgaAvMLNAIa8hfODLRe3n/cu4SgYlN/ZkNRU4QXVNbPGMg=="
	deprecatedSerial  = "2171af9cdf1d7404423852e7e183d852"
	deprecatedMark    = "ZP1OODikAOePc+YJUMLxunF6xV05kextO/T1fy5lWv/CwV6OCsPBRM2xRRCi+B4lYXbbfYDdjzCz5BIAWEwIdjMlg/IHcJVHhRNAlKt5A3zvzfaJa5IJQel7xuUEXk/B6KVyEb41PbzrptjUGqWyTFMrjxQ4ThJfCuYocnUng7OuDU95enMqK2hZpO8o7kFW638BAwKDSiFNEwEJDWYkLz0kEw7ma3keezm4YHYKfJmjChK39tmZld7Rw/yrV1U9RiL/DO5ayP9VmrQkT/vYrPKyqI4/xKrIaTq44jFYTPIJKdU2OnLt6kjqwp2hvCzMuJdjRcrvzhWJ2A8xZ5hI2w=="
	responsePlain     = `{"errcode":0,"errmsg":"getuserriskrank succ","risk_rank":0,"unoin_id":2258658297}`
)

// vectorKey is the mini program's published private key, and vectorCertificate WeChat's
// published certificate.
var (
	//go:embed testdata/private.pem
	vectorKey string
	//go:embed testdata/certificate.pem
	vectorCertificate string
)

func vectorConfig() Config {
	return Config{
		AppID:   vectorAppID,
		Encrypt: Key{vectorSN, vectorSymmetric},
		Sign:    Key{"97845f6ed842ea860df6fdf65941ff56", vectorKey},
		Verify:  []Key{{responseSerial, vectorCertificate}},
		Now:     func() time.Time { return time.Unix(responseTime+5, 0) },
	}
}

func mustNew(t testing.TB, cfg Config) *Security {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// vectorHeader is the header of the published response.
func vectorHeader() http.Header {
	h := http.Header{}
	h.Set("Wechatmp-AppId", vectorAppID)
	h.Set("Wechatmp-TimeStamp", "1635927956")
	h.Set("Wechatmp-Serial", responseSerial)
	h.Set("Wechatmp-Signature", responseSignature)
	h.Set("Wechatmp-Serial-Deprecated", deprecatedSerial)
	h.Set("Wechatmp-Signature-Deprecated", deprecatedMark)
	return h
}

func TestPublishedRequest(t *testing.T) {
	s := mustNew(t, vectorConfig())
	plain, err := s.parameters(url.Values{"access_token": {"ACCESS_TOKEN"}}, []byte(requestPlain), requestTime, requestNonce)
	if err != nil || string(plain) != requestFull {
		t.Fatalf("parameters: %s, %v", plain, err)
	}
	aad := s.additionalData(vectorURL, requestTime)
	if want := vectorURL + "|wxba6223c06417af7b|1635927954|fa05fe1e5bcc79b81ad5ad4b58acf787"; string(aad) != want {
		t.Errorf("additional data %s", aad)
	}
	iv, err := base64.StdEncoding.DecodeString(requestIV)
	if err != nil {
		t.Fatal(err)
	}
	body := s.encrypt(vectorURL, requestTime, iv, plain)
	if string(body) != requestBody || len(body) != 324 {
		t.Errorf("body: %s", body)
	}
	mark, err := base64.StdEncoding.DecodeString(requestSignature)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(s.signed(vectorURL, requestTime, body))
	if err := rsa.VerifyPSS(&s.sign.PublicKey, crypto.SHA256, digest[:], mark, &rsa.PSSOptions{SaltLength: saltBytes}); err != nil {
		t.Errorf("the published signature: %v", err)
	}
}

func TestPublishedResponse(t *testing.T) {
	s := mustNew(t, vectorConfig())
	digest := sha256.Sum256(s.signed(vectorURL, "1635927956", []byte(responseBody)))
	if hex.EncodeToString(digest[:]) != responseHash || len(responseBody) != 292 {
		t.Errorf("hash %x of %d bytes", digest, len(responseBody))
	}
	opened, err := s.Open(mustURL(t, vectorURL+"?access_token=ACCESS_TOKEN"), vectorHeader(), []byte(responseBody))
	if err != nil || string(opened.Body) != responsePlain || opened.Outcome != Verified || opened.Serial != responseSerial {
		t.Errorf("%+v, %v", opened, err)
	}
}

func TestAddress(t *testing.T) {
	if got := address(mustURL(t, "https://api.weixin.qq.com").JoinPath("/wxa/getuserriskrank")); got != vectorURL {
		t.Errorf("address %s", got)
	}
}
