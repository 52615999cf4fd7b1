package wechat_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// dataOf returns a client that opens data with a maximum age of one hour, its simulator, and
// the keys of a user who is logged in.
func dataOf(t *testing.T, app wechatsim.App, user wechatsim.User, login wechatsim.Login) (*wechat.Client, *wechatsim.Sim, []auth.SessionKey) {
	t.Helper()
	sim := wechatsim.New(wechatsim.Config{})
	t.Cleanup(sim.Close)
	p := newPlatform()
	client := mustClient(t, wechat.Config{
		Platform: wechat.Platform(app.Platform), AppID: auth.AppID(app.ID), MiniProgram: auth.AppID(app.MiniProgram),
		API: "http://platform.invalid", Transport: p, Watermark: time.Hour,
	})
	if login.SessionKey == "" {
		key, err := sim.RotateSessionKey(user)
		if err != nil {
			t.Fatal(err)
		}
		login.SessionKey = key
	}
	return client, sim, []auth.SessionKey{{Key: login.SessionKey}}
}

func openData(e wechatsim.Encrypted) auth.OpenData {
	return auth.OpenData{EncryptedData: e.EncryptedData, IV: e.IV, RawData: e.RawData, Signature: e.Signature}
}

// TestSiblingPhones decrypts a phone number of each platform.
func TestSiblingPhones(t *testing.T) {
	t.Parallel()
	for _, app := range wechatsim.Siblings() {
		t.Run(string(app.Platform), func(t *testing.T) {
			t.Parallel()
			user := wechatsim.User{App: app.ID}
			client, sim, keys := dataOf(t, app, user, wechatsim.Login{})
			sealed, err := sim.EncryptPhone(user, wechatsim.PhoneNumber{Number: "10012345678"}, wechatsim.Sealing{})
			if err != nil {
				t.Fatal(err)
			}
			opened, err := client.Open(keys, openData(sealed))
			if err != nil {
				t.Fatal(err)
			}
			if app.Platform == wechatsim.WeCom { // the mobile number is returned, but does not verify the session
				if opened.Phone != nil || !strings.Contains(string(opened.JSON), `"mobile":"10012345678"`) {
					t.Errorf("got %s, %+v", opened.JSON, opened.Phone)
				}
				return
			}
			if opened.Phone == nil || opened.Phone.E164() != "+8610012345678" || opened.Phone.PurePhoneNumber != "10012345678" {
				t.Fatalf("got %+v from %s", opened.Phone, opened.JSON)
			}
			_, err = client.Open([]auth.SessionKey{{Key: sampleKey}}, openData(sealed))
			wantErr(t, err, auth.ErrDecryptFailed)
		})
	}
}

// TestSiblingProfiles: a profile has the openid of its user, and its signature is checked.
func TestSiblingProfiles(t *testing.T) {
	t.Parallel()
	for _, app := range wechatsim.Siblings() {
		t.Run(string(app.Platform), func(t *testing.T) {
			t.Parallel()
			user, openid := wechatsim.User{App: app.ID, OpenID: "bob-1"}, auth.OpenID("bob-1")
			if app.Platform == wechatsim.WeCom {
				user.OpenID, openid = "bob@example.com", "_bob_aexample_dcom"
			}
			client, sim, keys := dataOf(t, app, user, wechatsim.Login{})
			sealed, err := sim.EncryptProfile(user, wechatsim.Profile{}, wechatsim.Sealing{})
			if err != nil {
				t.Fatal(err)
			}
			opened, err := client.Open(keys, openData(sealed))
			if err != nil {
				t.Fatal(err)
			}
			if opened.OpenID != openid || opened.Phone != nil {
				t.Errorf("got %+v", opened)
			}
			forged := openData(sealed)
			forged.Signature = strings.Repeat("0", 40)
			_, err = client.Open(keys, forged)
			wantErr(t, err, auth.ErrDecryptFailed)
		})
	}
}

// TestSiblingMarks: on platforms with watermarks, the watermark is checked as on WeChat. On
// platforms without, a watermark is checked if the data has one.
func TestSiblingMarks(t *testing.T) {
	t.Parallel()
	mark := func(app string, at time.Time) string {
		return fmt.Sprintf(`,"watermark":{"appid":%q,"timestamp":%d}`, app, at.Unix())
	}
	const phone = `{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"`
	for _, app := range wechatsim.Siblings() {
		own := app.MiniProgram
		if own == "" {
			own = app.ID
		}
		unmarked := auth.ErrDecryptFailed
		if app.Platform == wechatsim.Kuaishou || app.Platform == wechatsim.Xiaohongshu {
			unmarked = nil
		}
		bare := unmarked // the same without purePhoneNumber
		for name, row := range map[string]struct {
			plain string
			want  error
		}{
			"good":                     {phone + mark(own, time.Now()) + `}`, nil},
			"another app's":            {phone + mark("wx9", time.Now()) + `}`, auth.ErrWatermarkMismatch},
			"stale":                    {phone + mark(own, time.Now().Add(-2*time.Hour)) + `}`, auth.ErrWatermarkStale},
			"tomorrow's":               {phone + mark(own, time.Now().Add(24*time.Hour)) + `}`, auth.ErrWatermarkStale},
			"half a watermark":         {phone + `,"watermark":{"appid":"` + own + `"}}`, auth.ErrDecryptFailed},
			"unmarked":                 {phone + `}`, unmarked},
			"unmarked and bare":        {`{"countryCode":"86","phoneNumber":"10012345678"}`, bare},
			"country code twice":       {`{"countryCode":"86","phoneNumber":"8610012345678"}`, auth.ErrDecryptFailed},
			"no country":               {`{"phoneNumber":"10012345678"}`, auth.ErrDecryptFailed},
			"unmarked, without a user": {`{"steps":1}`, auth.ErrDecryptFailed},
			"unmarked, no ID":          {`{"openId":"a/b"}`, auth.ErrDecryptFailed},
			"two numbers":              {`{"countryCode":"86","phoneNumber":"10012345678","phoneNumber":"10087654321"}`, auth.ErrDecryptFailed},
			"a garbled block":          {"{\"countryCode\":\"86\",\"phoneNumber\":\"10012345678\",\"x\":\"\xff\"}", auth.ErrDecryptFailed},
			"not an object":            {`"10012345678"`, auth.ErrDecryptFailed},
			"letters in the number":    {`{"countryCode":"86","phoneNumber":"1001234567a"}`, auth.ErrDecryptFailed},
		} {
			t.Run(string(app.Platform)+" "+name, func(t *testing.T) {
				t.Parallel()
				user := wechatsim.User{App: app.ID}
				client, sim, keys := dataOf(t, app, user, wechatsim.Login{})
				sealed, err := sim.EncryptJSON(user, []byte(row.plain), wechatsim.Sealing{Exact: true})
				if err != nil {
					t.Fatal(err)
				}
				_, err = client.Open(keys, openData(sealed))
				wantErr(t, err, row.want)
			})
		}
	}
}

// TestWeComOwner: data of a user of another company is refused. Without the mini program's
// appid, all data of WeCom is refused.
func TestWeComOwner(t *testing.T) {
	t.Parallel()
	app := siblingApp(t, wechatsim.WeCom)
	user := wechatsim.User{App: app.ID}
	client, sim, keys := dataOf(t, app, user, wechatsim.Login{})
	for plain, want := range map[string]error{
		`{"corpid":"` + app.ID + `","userid":"bob"}`:   nil,
		`{"corpid":"ww9","userid":"bob"}`:              auth.ErrDecryptFailed,
		`{"userid":"bob"}`:                             auth.ErrDecryptFailed,
		`{"corpid":"` + app.ID + `","userid":"b b"}`:   auth.ErrDecryptFailed,
		`{"corpid":"` + app.ID + `","userid":7}`:       auth.ErrDecryptFailed,
		`{"email":"bob@example.com"}`:                  nil,
		`{"corpid":"` + app.ID + `","openId":"bob-1"}`: nil, // openId is not used on WeCom
	} {
		sealed, err := sim.EncryptJSON(user, []byte(plain), wechatsim.Sealing{})
		if err != nil {
			t.Fatal(err)
		}
		opened, err := client.Open(keys, openData(sealed))
		wantErr(t, err, want)
		if strings.Contains(plain, "openId") && opened.OpenID != "" {
			t.Errorf("%s names %q", plain, opened.OpenID)
		}
	}
	app.MiniProgram = ""
	client, sim, keys = dataOf(t, app, user, wechatsim.Login{})
	sealed, err := sim.EncryptProfile(user, wechatsim.Profile{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Open(keys, openData(sealed))
	wantErr(t, err, auth.ErrWatermarkMismatch)
}

// TestWeComOpenID: no two userids have the same openid, and every openid is valid. The table
// documents the mapping for upstreams that decode openids.
func TestWeComOpenID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for userid, want := range map[string]auth.OpenID{
		"zhangsan": "zhangsan", "zhang_san-1": "zhang_san-1", long: auth.OpenID(long),
		"san.zhang": "_san_dzhang", "san@example.com": "_san_aexample_dcom",
		"san_zhang.1": "_san__zhang_d1", "san_dzhang": "san_dzhang", "san__d.x": "_san____d_dx",
		"": "", "_san_dzhang": "", "-x": "", ".x": "", "@x": "", long + "a": "", long[:62] + ".a": "",
		"a b": "", "a/b": "", "a:b": "", "a%40b": "", "zhang\u00e9": "", "a.b\u3002c": "", `a.\"b`: "",
	} {
		body := fmt.Sprintf(`{"errcode":0,"corpid":%q,"userid":"%s","session_key":"k"}`, app, userid)
		p := newPlatform().on("/cgi-bin/miniprogram/jscode2session", respond(body)).on("/cgi-bin/gettoken", respond(goodToken))
		client := mustClient(t, wechat.Config{Platform: wechat.WeCom, API: "http://platform.invalid", Transport: p})
		who, err := client.Exchange(t.Context(), code)
		var class error
		if want == "" {
			class = auth.ErrWeChatUnreadable
		}
		wantErr(t, err, class)
		if who.OpenID != want || want != "" && !auth.ValidID(who.OpenID) {
			t.Errorf("%q: got %q, want %q", userid, who.OpenID, want)
		}
	}
}

// FuzzWeComOpenID: two userids never have the same openid.
func FuzzWeComOpenID(f *testing.F) {
	for _, pair := range [][2]string{{"a.b", "a_db"}, {"a.b", "_a_db"}, {"a_.b", "a._b"}, {"a@b", "a_ab"}, {"a__b.c", "a_.bc"}} {
		f.Add(pair[0], pair[1])
	}
	openid := func(t *testing.T, userid string) auth.OpenID {
		body, err := json.Marshal(map[string]any{"errcode": 0, "corpid": app, "userid": userid, "session_key": "k"})
		if err != nil {
			t.Fatal(err)
		}
		p := newPlatform().on("/cgi-bin/miniprogram/jscode2session", respond(string(body))).on("/cgi-bin/gettoken", respond(goodToken))
		client := mustClient(t, wechat.Config{Platform: wechat.WeCom, API: "http://platform.invalid", Transport: p})
		defer client.Close()
		who, _ := client.Exchange(t.Context(), code) // no openid if there is an error
		return who.OpenID
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) || a == b {
			return // JSON would replace the invalid bytes
		}
		if first := openid(t, a); first != "" && first == openid(t, b) {
			t.Errorf("%q and %q are both %q", a, b, first)
		}
	})
}

// TestKeySizes: Xiaohongshu's keys may have either documented size. The keys of all other
// platforms have 16 bytes.
func TestKeySizes(t *testing.T) {
	t.Parallel()
	const plain = `{"openId":"bob-1","watermark":{"appid":"wx0123456789abcdef","timestamp":1}}`
	iv := make([]byte, 16)
	for size, platforms := range map[int][]wechat.Platform{16: wechat.Platforms(), 24: {wechat.Xiaohongshu}, 32: nil} {
		key := []byte(strings.Repeat("k", size))
		data := auth.OpenData{EncryptedData: seal(t, key, iv, []byte(plain)), IV: base64.StdEncoding.EncodeToString(iv)}
		opens := map[wechat.Platform]bool{}
		for _, p := range platforms {
			opens[p] = true
		}
		for _, p := range wechat.Platforms() {
			client := mustClient(t, wechat.Config{Platform: p, API: "http://platform.invalid"})
			_, err := client.Open(keys(base64.StdEncoding.EncodeToString(key)), data)
			want := auth.ErrDecryptFailed
			if opens[p] {
				want = nil
			}
			wantErr(t, err, want)
		}
	}
}
