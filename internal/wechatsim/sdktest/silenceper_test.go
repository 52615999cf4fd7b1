package sdktest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/credential"
	"github.com/silenceper/wechat/v2/miniprogram"
	"github.com/silenceper/wechat/v2/miniprogram/business"
	"github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/miniprogram/qrcode"
	"github.com/silenceper/wechat/v2/util"
)

// silenceper returns a mini program of silenceper/wechat whose calls reach the simulator, by
// the option that it has for URLs. stable has it use stable_token.
func silenceper(stable bool) *miniprogram.MiniProgram {
	util.SetURIModifier(func(uri string) string { return strings.Replace(uri, "https://api.weixin.qq.com", simulator.api, 1) })
	memory := cache.NewMemory()
	mini := wechat.NewWechat().GetMiniProgram(&config.Config{AppID: appID, AppSecret: appSecret, Cache: memory})
	if stable {
		mini.SetAccessTokenHandle(credential.NewStableAccessToken(appID, appSecret, credential.CacheKeyMiniProgramPrefix, memory))
	}
	return mini
}

func TestSilenceperLogin(t *testing.T) {
	auth := silenceper(false).GetAuth()
	code := get(t, "/code", "alice")
	got, err := auth.Code2Session(code)
	if err != nil {
		t.Fatal(err)
	}
	alice := personOf(t, "alice")
	if got.OpenID != alice.OpenID || got.UnionID != alice.UnionID || got.SessionKey != alice.SessionKey {
		t.Errorf("Code2Session = %+v, want %+v", got, alice)
	}
	_, err = auth.Code2Session(code)
	wantErrcode(t, err, "40163")
	_, err = auth.Code2Session("none")
	wantErrcode(t, err, "40029")
}

// TestSilenceperProxy uses silenceper/wechat with its own URLs, by way of the proxy.
func TestSilenceperProxy(t *testing.T) {
	mini := silenceper(true)
	util.SetURIModifier(nil)
	got, err := mini.GetAuth().GetPhoneNumber(get(t, "/phone-code", "alice"))
	if err != nil {
		t.Fatal(err)
	}
	if want := personOf(t, "alice").Phone; got.PhoneInfo.PurePhoneNumber != want {
		t.Errorf("phone_info = %+v, want %s", got.PhoneInfo, want)
	}
}

// TestSilenceperProgramCode gets a mini program code, and an error: the SDK distinguishes them by
// their content types.
func TestSilenceperProgramCode(t *testing.T) {
	codes := silenceper(true).GetQRCode()
	picture, err := codes.GetWXACodeUnlimit(qrcode.QRCoder{Scene: "a=1"})
	if err != nil || http.DetectContentType(picture) != "image/jpeg" {
		t.Errorf("%d bytes, %v", len(picture), err)
	}
	picture, err = codes.GetWXACode(qrcode.QRCoder{Path: "pages/a"})
	if err != nil || http.DetectContentType(picture) != "image/jpeg" {
		t.Errorf("%d bytes, %v", len(picture), err)
	}
	_, err = codes.GetWXACodeUnlimit(qrcode.QRCoder{Scene: "小"})
	wantErrcode(t, err, "40129")
}

func TestSilenceperPhone(t *testing.T) {
	for name, stable := range map[string]bool{"token": false, "stable_token": true} {
		t.Run(name, func(t *testing.T) {
			mini := silenceper(stable)
			want := personOf(t, "alice").Phone
			got, err := mini.GetAuth().GetPhoneNumber(get(t, "/phone-code", "alice"))
			if err != nil {
				t.Fatal(err)
			}
			if got.PhoneInfo.PurePhoneNumber != want || got.PhoneInfo.CountryCode != "86" || got.PhoneInfo.WaterMark.AppID != appID {
				t.Errorf("phone_info = %+v, want %s", got.PhoneInfo, want)
			}
			info, err := mini.GetBusiness().GetPhoneNumber(&business.GetPhoneNumberRequest{Code: get(t, "/phone-code", "alice")})
			if err != nil || info.PhoneNumber != want {
				t.Errorf("GetPhoneNumber = %+v, %v, want %s", info, err, want)
			}
			_, err = mini.GetAuth().GetPhoneNumber(get(t, "/code", "alice")) // a login code
			wantErrcode(t, err, "40029")
		})
	}
}

func TestSilenceperDecrypts(t *testing.T) {
	mini := silenceper(false)
	login, err := mini.GetAuth().Code2Session(get(t, "/code", "alice"))
	if err != nil {
		t.Fatal(err)
	}
	phone := encryptedPhone(t, "alice")
	got, err := mini.GetEncryptor().Decrypt(login.SessionKey, phone.Data, phone.IV)
	if err != nil || got.PurePhoneNumber != personOf(t, "alice").Phone {
		t.Errorf("Decrypt = %+v, %v", got, err)
	}
}

// TestSilenceperSession checks a session_key, replaces it and checks the old one.
func TestSilenceperSession(t *testing.T) {
	auth := silenceper(true).GetAuth()
	login, err := auth.Code2Session(get(t, "/code", "bob"))
	if err != nil {
		t.Fatal(err)
	}
	signature := signatureOf(login.SessionKey)
	if err := auth.CheckSession(signature, login.OpenID); err != nil {
		t.Error(err)
	}
	reset, err := auth.ResetUserSessionKey(signature, login.OpenID)
	if err != nil || reset.SessionKey == login.SessionKey || reset.SessionKey != personOf(t, "bob").SessionKey {
		t.Errorf("ResetUserSessionKey = %+v, %v", reset, err)
	}
	wantErrcode(t, auth.CheckSession(signature, login.OpenID), "87009")
}

// TestSilenceperTokenExpires shows what the SDK does not do: it keeps an access_token that
// WeChat says has expired.
func TestSilenceperTokenExpires(t *testing.T) {
	mini := silenceper(true)
	if _, err := mini.GetAuth().GetPhoneNumber(get(t, "/phone-code", "alice")); err != nil {
		t.Fatal(err)
	}
	control(t, http.MethodPost, "/expire-tokens", "{}")
	_, err := mini.GetAuth().GetPhoneNumber(get(t, "/phone-code", "alice"))
	wantErrcode(t, err, "42001")
}

// TestSilenceperCheckEncryptedData shows a mistake of the SDK: it sends a form, where WeChat's
// documentation says that the parameters of a POST are JSON unless a page says otherwise, and
// the page of checkencryptedmsg does not.
func TestSilenceperCheckEncryptedData(t *testing.T) {
	mini := silenceper(true)
	if _, err := mini.GetAuth().Code2Session(get(t, "/code", "alice")); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(encryptedPhone(t, "alice").Data))
	_, err := mini.GetAuth().CheckEncryptedData(hex.EncodeToString(sum[:]))
	wantErrcode(t, err, "47001")
}
