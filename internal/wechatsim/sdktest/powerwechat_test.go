package sdktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ArtisanCloud/PowerWeChat/v3/src/miniProgram"
)

// signatureOf is what proves to WeChat that a server knows a session_key.
func signatureOf(sessionKey string) string {
	mac := hmac.New(sha256.New, []byte(sessionKey))
	return hex.EncodeToString(mac.Sum(nil))
}

// powerWeChat returns a mini program of PowerWeChat, whose option BaseURI names the simulator.
func powerWeChat(t *testing.T, stable bool) *miniProgram.MiniProgram {
	t.Helper()
	logs := filepath.Join(t.TempDir(), "sdk.log") // by default it writes into the working directory
	mini, err := miniProgram.NewMiniProgram(&miniProgram.UserConfig{
		AppID: appID, Secret: appSecret, StableTokenMode: stable,
		Http: miniProgram.Http{BaseURI: simulator.api + "/"},
		Log:  miniProgram.Log{File: logs, Error: logs},
	})
	if err != nil {
		t.Fatal(err)
	}
	return mini
}

func TestPowerWeChatLogin(t *testing.T) {
	auth := powerWeChat(t, false).Auth
	code := get(t, "/code", "alice")
	got, err := auth.Session(background(t), code)
	if err != nil {
		t.Fatal(err)
	}
	alice := personOf(t, "alice")
	if got.OpenID != alice.OpenID || got.UnionID != alice.UnionID || got.SessionKey != alice.SessionKey {
		t.Errorf("Session = %+v, want %+v", got, alice)
	}
	again, err := auth.Session(background(t), code)
	if err != nil || again.ErrCode != 40163 {
		t.Errorf("the second time: %+v, %v, want 40163", again, err)
	}
}

func TestPowerWeChatPhone(t *testing.T) {
	for _, stable := range []bool{false, true} {
		t.Run(strconv.FormatBool(stable), func(t *testing.T) {
			mini := powerWeChat(t, stable)
			token, err := mini.AccessToken.GetToken(background(t), true)
			if err != nil || token.AccessToken == "" || token.ExpiresIn <= 0 {
				t.Fatalf("GetToken = %+v, %v", token, err)
			}
			got, err := mini.PhoneNumber.GetUserPhoneNumber(background(t), get(t, "/phone-code", "alice"))
			if err != nil || got.ErrCode != 0 || got.PhoneInfo == nil || got.PhoneInfo.PurePhoneNumber != personOf(t, "alice").Phone {
				t.Errorf("GetUserPhoneNumber = %+v, %v", got, err)
			}
			wrong, err := mini.PhoneNumber.GetUserPhoneNumber(background(t), "none")
			if err != nil || wrong.ErrCode != 40029 {
				t.Errorf("of a wrong code: %+v, %v, want 40029", wrong, err)
			}
		})
	}
}

func TestPowerWeChatDecrypts(t *testing.T) {
	mini := powerWeChat(t, false)
	login, err := mini.Auth.Session(background(t), get(t, "/code", "alice"))
	if err != nil {
		t.Fatal(err)
	}
	phone := encryptedPhone(t, "alice")
	plain, failure := mini.Encryptor.DecryptData(phone.Data, login.SessionKey, phone.IV)
	if failure != nil {
		t.Fatalf("DecryptData: %+v", failure)
	}
	var got struct{ PurePhoneNumber string }
	if err := json.Unmarshal(plain, &got); err != nil || got.PurePhoneNumber != personOf(t, "alice").Phone {
		t.Errorf("DecryptData = %s, %v", plain, err)
	}
}

func TestPowerWeChatSession(t *testing.T) {
	auth := powerWeChat(t, true).Auth
	login, err := auth.Session(background(t), get(t, "/code", "carol"))
	if err != nil {
		t.Fatal(err)
	}
	check, err := auth.CheckSession(background(t), login.OpenID, login.SessionKey)
	if err != nil || check.ErrCode != 0 {
		t.Errorf("CheckSession = %+v, %v", check, err)
	}
	reset, err := auth.ResetUserSessionKey(background(t), login.OpenID, login.SessionKey)
	if err != nil || reset.ErrCode != 0 {
		t.Errorf("ResetUserSessionKey = %+v, %v", reset, err)
	}
	stale, err := auth.CheckSession(background(t), login.OpenID, login.SessionKey)
	if err != nil || stale.ErrCode != 87009 {
		t.Errorf("CheckSession of the old key = %+v, %v, want 87009", stale, err)
	}
}
