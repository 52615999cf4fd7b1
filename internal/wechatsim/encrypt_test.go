package wechatsim_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// The sample of the page on open data (开放数据校验与解密).
const (
	sampleKey   = "tiihtNczf5v6AKRyjwEUhQ=="
	sampleIV    = "r7BXXKkLb8qrSNn05n0qiA=="
	samplePlain = `{"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0","unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}`
	sampleData  = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew=="
)

func TestEncryptPublishedSample(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for name, how := range map[string]wechatsim.Sealing{
		"exact":                   {SessionKey: sampleKey, IV: sampleIV, Exact: true},
		"watermark left in peace": {SessionKey: sampleKey, IV: sampleIV},
	} {
		got, err := sim.EncryptJSON(wechatsim.User{}, []byte(samplePlain), how)
		if err != nil {
			t.Fatal(err)
		}
		if got.EncryptedData != sampleData || got.IV != sampleIV {
			t.Errorf("%s: the ciphertext is not the published one", name)
		}
	}
}

func TestEncryptProfileIsThePublishedSample(t *testing.T) {
	t.Parallel()
	const appid = "wx4f4bc4dec97d474b"
	sim := wechatsim.New(wechatsim.Config{Apps: []wechatsim.App{{ID: appid, Secret: "x"}}})
	band := wechatsim.User{OpenID: "oGZUI0egBJY1zhBYw2KhdUfwVJJE"}
	if _, err := sim.MintCode(band, wechatsim.Login{UnionID: "ocMvos6NjeKLIBqg5Mr9QjxrP1FA"}); err != nil {
		t.Fatal(err)
	}
	got, err := sim.EncryptProfile(band, wechatsim.Profile{
		NickName: "Band", Gender: 1, Language: "zh_CN", City: "Guangzhou", Province: "Guangdong", Country: "CN",
		AvatarURL: "http://wx.qlogo.cn/mmopen/vi_32/aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0",
	}, wechatsim.Sealing{SessionKey: sampleKey, IV: sampleIV, Timestamp: time.Unix(1477314187, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if got.EncryptedData != sampleData {
		t.Errorf("the profile is not built as the published one: %s", simtest.Decrypt(t, sampleKey, got))
	}
}

func TestDataSignatureVector(t *testing.T) {
	t.Parallel()
	const key = "HyVFkGl5F5OQWJZZaNzBBg=="
	const raw = `{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}`
	const want = "75e81ceda165f4ffa64f4068af58c64b8f54b88c"
	if got := wechatsim.DataSignature(raw, key); got != want {
		t.Errorf("DataSignature = %s, want %s", got, want)
	}
	sim := wechatsim.New(wechatsim.Config{})
	e, err := sim.EncryptProfile(wechatsim.User{}, wechatsim.Profile{
		NickName: "Band", Gender: 1, Language: "zh_CN", City: "Guangzhou", Province: "Guangdong", Country: "CN",
		AvatarURL: "http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0",
	}, wechatsim.Sealing{SessionKey: key})
	if err != nil {
		t.Fatal(err)
	}
	if e.RawData != raw || e.Signature != want {
		t.Errorf("rawData %s signed %s, want the published ones", e.RawData, e.Signature)
	}
}

func TestEncryptPhoneUnderTheCurrentKey(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	if _, err := srv.Sim.EncryptPhone(simtest.Alice, wechatsim.PhoneNumber{}, wechatsim.Sealing{}); !errors.Is(err, wechatsim.ErrNoSessionKey) {
		t.Fatalf("before the first login: %v, want ErrNoSessionKey", err)
	}
	key := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey
	srv.Sim.Advance(time.Hour)
	e, err := srv.Sim.EncryptPhone(simtest.Alice, wechatsim.PhoneNumber{Number: "10000000001"}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"phoneNumber":"10000000001","purePhoneNumber":"10000000001","countryCode":"86","watermark":{"timestamp":1782882000,"appid":"wxaaaaaaaaaaaaaaaa"}}`
	if got := simtest.Decrypt(t, key, e); string(got) != want {
		t.Errorf("plaintext = %s, want %s", got, want)
	}
	other, err := srv.Sim.EncryptPhone(simtest.Alice, wechatsim.PhoneNumber{Number: "10000000001"}, wechatsim.Sealing{})
	if err != nil || other.IV == e.IV {
		t.Errorf("two presses, one iv (%v)", err)
	}
}

func TestEncryptWatermarkOverrides(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{Apps: simtest.Apps})
	how := wechatsim.Sealing{SessionKey: sampleKey, AppID: "wxother", Timestamp: time.Unix(5, 0)}
	for data, want := range map[string]string{
		`{"a":1}`:      `{"a":1,"watermark":{"timestamp":5,"appid":"wxother"}}`,
		`{}`:           `{"watermark":{"timestamp":5,"appid":"wxother"}}`,
		" {\"b\":2}\n": `{"b":2,"watermark":{"timestamp":5,"appid":"wxother"}}`,
	} {
		e, err := sim.EncryptJSON(simtest.Alice, []byte(data), how)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(simtest.Decrypt(t, sampleKey, e)); got != want {
			t.Errorf("plaintext = %s, want %s", got, want)
		}
	}
	if _, err := sim.EncryptJSON(simtest.Alice, []byte("[]"), how); err == nil {
		t.Error("an array took a watermark")
	}
}

func TestEncryptEveryPadding(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for n := range 33 {
		plain := strings.Repeat("x", n)
		e, err := sim.EncryptJSON(simtest.Alice, []byte(plain), wechatsim.Sealing{SessionKey: sampleKey, Exact: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := simtest.Decrypt(t, sampleKey, e); string(got) != plain {
			t.Errorf("%d bytes came back as %d", n, len(got))
		}
	}
}

func TestEncryptRefusals(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{})
	for name, tt := range map[string]struct {
		how  wechatsim.Sealing
		want error
	}{
		"key not base64":       {wechatsim.Sealing{SessionKey: "!"}, wechatsim.ErrBadSessionKey},
		"key of 24 bytes":      {wechatsim.Sealing{SessionKey: base64.StdEncoding.EncodeToString(make([]byte, 24))}, wechatsim.ErrBadSessionKey},
		"iv of another length": {wechatsim.Sealing{SessionKey: sampleKey, IV: "AAAA"}, wechatsim.ErrBadIV},
		"no key at all":        {wechatsim.Sealing{}, wechatsim.ErrNoSessionKey},
	} {
		if _, err := sim.EncryptPhone(simtest.Alice, wechatsim.PhoneNumber{}, tt.how); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestAnonymousProfile(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	key := simtest.Login(t, srv, simtest.Alice, wechatsim.Login{}).SessionKey
	e, err := srv.Sim.EncryptProfile(simtest.Alice, wechatsim.Profile{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ OpenID, NickName, UnionID string }
	if err := json.Unmarshal(simtest.Decrypt(t, key, e), &got); err != nil {
		t.Fatal(err)
	}
	if got.OpenID != "alice" || got.NickName != "微信用户" || got.UnionID != "" {
		t.Errorf("= %+v", got)
	}
	if e.Signature != wechatsim.DataSignature(e.RawData, key) {
		t.Error("signed with another key than the current one")
	}
}
