package wechat_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestPhoneNumber(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Query().Get("access_token") != token || len(r.URL.Query()) != 1 ||
			len(body) != 2 || body["code"] != code || body["openid"] != string(openid) {
			t.Errorf("got %s %s %v", r.Method, r.URL, body)
		}
		respond(goodPhone)(w, r)
	})
	client := dial(t, p)
	for range 3 {
		got, err := client.PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, nil)
		want := auth.Phone{
			PhoneNumber: "10058006666", PurePhoneNumber: "10058006666", CountryCode: "86",
			Watermark: auth.Watermark{AppID: app, Timestamp: 1637744274},
		}
		if got != want {
			t.Fatalf("got %+v", got)
		}
	}
	wantCalls(t, p, tokenPath, 1)
	wantCalls(t, p, phonePath, 3)
}

func TestPhoneNumberRefusesWithoutACall(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, respond(goodPhone))
	client := dial(t, p)
	for _, row := range []struct {
		code string
		who  auth.OpenID
	}{{"", openid}, {"a b", openid}, {code, ""}, {code, "o 1"}} {
		_, err := client.PhoneNumber(t.Context(), row.code, row.who)
		wantErr(t, err, auth.ErrInvalidRequest)
	}
	wantCalls(t, p, tokenPath, 0)
	wantCalls(t, p, phonePath, 0)
}

func TestPhoneNumberResponses(t *testing.T) {
	t.Parallel()
	change := func(from, to string) string { return strings.Replace(goodPhone, from, to, 1) }
	for name, row := range map[string]struct {
		body string
		err  error
	}{
		"country a number":     {change(`"86"`, `86`), nil},
		"foreign":              {change(`"phoneNumber":"135`, `"phoneNumber":"86135`), nil},
		"code bad":             {`{"errcode":40029,"errmsg":"code SECRETcode&0001"}`, auth.ErrInvalidPhoneCode},
		"code of another app":  {`{"errcode":40013}`, auth.ErrInvalidPhoneCode},
		"code used":            {`{"errcode":40163}`, auth.ErrInvalidPhoneCode},
		"busy":                 {`{"errcode":-1}`, auth.ErrWeChatBusy},
		"minute quota":         {`{"errcode":45011}`, auth.ErrRateLimited},
		"not permitted":        {`{"errcode":48001}`, auth.ErrAppMisconfigured},
		"unknown":              {`{"errcode":12345,"errmsg":"token SECRETtoken-1"}`, auth.ErrWeChatUnreadable},
		"empty":                {``, auth.ErrWeChatUnreadable},
		"no phone_info":        {`{"errcode":0}`, auth.ErrWeChatUnreadable},
		"no number":            {change(`"purePhoneNumber":"10058006666"`, `"purePhoneNumber":""`), auth.ErrWeChatUnreadable},
		"fields disagree":      {change(`"phoneNumber":"10058006666"`, `"phoneNumber":"10058006667"`), auth.ErrWeChatUnreadable},
		"country missing":      {change(`"countryCode":"86",`, ``), auth.ErrWeChatUnreadable},
		"country not a number": {change(`"86"`, `"CN"`), auth.ErrWeChatUnreadable},
		"no watermark":         {change(`"watermark"`, `"mark"`), auth.ErrWeChatUnreadable},
		"another app's":        {change(string(app), "wxother"), auth.ErrWatermarkMismatch},
		"an appid with 0x0":    {change(string(app), `wx\u0000`), auth.ErrWatermarkMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, respond(row.body))
			got, err := dial(t, p).PhoneNumber(t.Context(), code, openid)
			wantErr(t, err, row.err)
			if row.err != nil && got != (auth.Phone{}) {
				t.Fatalf("a number and an error: %+v", got)
			}
			wantCalls(t, p, phonePath, 1)
		})
	}
}

func TestPhoneNumberWithAStaleToken(t *testing.T) {
	t.Parallel()
	for _, stale := range []string{"40001", "40014", "42001", `"42001"`} {
		t.Run(stale, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().
				on(tokenPath, respond(goodToken), respond(`{"access_token":"SECRETtoken-2","expires_in":7200}`)).
				on(phonePath, respond(`{"errcode":`+stale+`,"errmsg":"invalid credential"}`), func(w http.ResponseWriter, r *http.Request) {
					if got := r.URL.Query().Get("access_token"); got != "SECRETtoken-2" {
						t.Errorf("called again with %q", got)
					}
					respond(goodPhone)(w, r)
				})
			_, err := dial(t, p).PhoneNumber(t.Context(), code, openid)
			wantErr(t, err, nil)
			wantCalls(t, p, tokenPath, 2)
			wantCalls(t, p, phonePath, 2)
		})
	}
	t.Run("lasting", func(t *testing.T) {
		t.Parallel()
		p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, respond(`{"errcode":40001}`))
		_, err := dial(t, p).PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, auth.ErrWeChatBusy)
		wantCalls(t, p, tokenPath, 2)
		wantCalls(t, p, phonePath, 2)
	})
	t.Run("and no other", func(t *testing.T) {
		t.Parallel()
		p := newPlatform().on(tokenPath, respond(goodToken), respond(`{"errcode":40125}`)).on(phonePath, respond(`{"errcode":40001}`))
		_, err := dial(t, p).PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, auth.ErrAppMisconfigured)
		wantCalls(t, p, phonePath, 1)
	})
}

func TestPhoneNumberTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, hangs)
		_, err := direct(t, p).PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, auth.ErrWeChatTimeout)
		wantCalls(t, p, phonePath, 1)
	})
}
