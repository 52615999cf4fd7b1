package wechat_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/testphone"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// wantCharged fails the test unless an error says whether the call may have cost something.
func wantCharged(t testing.TB, err error, charged bool) {
	t.Helper()
	if err == nil || errors.Is(err, auth.ErrNotCharged) == charged {
		t.Errorf("charged %t, want %t: %v", !errors.Is(err, auth.ErrNotCharged), charged, err)
	}
}

// TestPhoneCharged: what WeChat refuses costs nothing, and what may have worked counts.
func TestPhoneCharged(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		token, phone http.HandlerFunc
		charged      bool
	}{
		"invalid code":     {phone: says(`{"errcode":40029}`)},
		"another user's":   {phone: says(`{"errcode":40003}`)},
		"minute quota":     {phone: says(`{"errcode":45011}`)},
		"day's quota":      {phone: says(`{"errcode":45009}`)},
		"no permission":    {phone: says(`{"errcode":48001}`)},
		"token refused":    {phone: says(`{"errcode":40001}`)},
		"no token":         {token: says(`{"errcode":40125}`)},
		"no token in time": {token: saysAs(http.StatusBadGateway, "text/html", "<html>")},
		"busy":             {phone: says(`{"errcode":-1}`), charged: true},
		"unknown errcode":  {phone: says(`{"errcode":12345}`), charged: true},
		"unreadable":       {phone: saysAs(http.StatusBadGateway, "text/html", "<html>"), charged: true},
		"no number":        {phone: says(`{"errcode":0}`), charged: true},
		"another app's":    {phone: says(`{"errcode":0,"phone_info":{"phoneNumber":"10000000001","purePhoneNumber":"10000000001","countryCode":"86","watermark":{"timestamp":1,"appid":"wxother"}}}`), charged: true},
		"closed":           {phone: closes, charged: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if row.token == nil {
				row.token = says(goodToken)
			}
			p := newPlatform().on(tokenPath, row.token).on(phonePath, row.phone)
			_, err := dial(t, p).PhoneNumber(t.Context(), code, openid)
			wantCharged(t, err, row.charged)
		})
	}
	_, err := dial(t, newPlatform()).PhoneNumber(t.Context(), "a b", openid)
	wantCharged(t, err, false)
}

// closes ends the connection without a response.
func closes(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// TestPhoneUnsent: a connection that is refused costs nothing, and neither does a call that the
// circuit breaker stops. A transport that does not say what it sent counts.
func TestPhoneUnsent(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, says(goodToken)).on(phonePath, says(`{"errcode":-1}`))
	server := httptest.NewServer(p)
	client := mustClient(t, wechat.Config{API: server.URL, Transport: &http.Transport{DisableKeepAlives: true}})
	_, err := client.PhoneNumber(t.Context(), code, openid)
	wantCharged(t, err, true)
	server.Close()
	for client.Breaker() == "closed" {
		_, err := client.PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, auth.ErrWeChatUnreachable)
		wantCharged(t, err, false)
	}
	_, err = client.PhoneNumber(t.Context(), code, openid)
	wantErr(t, err, auth.ErrWeChatUnreachable)
	wantCharged(t, err, false)

	silent := roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == phonePath {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		return newPlatform().on(tokenPath, says(goodToken)).RoundTrip(r)
	})
	_, err = mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: silent}).PhoneNumber(t.Context(), code, openid)
	wantCharged(t, err, true)
}

// TestPhoneTimeoutCharged: a call that was sent and got no response counts.
func TestPhoneTimeoutCharged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, says(goodToken)).on(phonePath, hangs)
		_, err := direct(t, p).PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, auth.ErrWeChatTimeout)
		wantCharged(t, err, true)
	})
}

// TestTestPhones: the number of a virtual account is replaced in both ways, and with a key that
// the client brought it stays unverified. Other numbers stay.
func TestTestPhones(t *testing.T) {
	t.Parallel()
	f := newFaulted(t)
	numbers := testphone.Numbers{0: "10000000001"}
	client, err := wechat.New(wechat.Config{
		AppID: auth.AppID(wechatsim.DefaultApp.ID), Secret: wechatsim.DefaultApp.Secret, API: f.client.API(), TestPhones: numbers,
	})
	wantErr(t, err, nil)
	t.Cleanup(client.Close)
	for sent, want := range map[string]string{"12066600001": "10000000001", "12066600002": "12066600002", "10000000009": "10000000009"} {
		number := wechatsim.PhoneNumber{Number: sent}
		minted, err := f.sim.MintPhoneCode(wechatsim.User{}, number)
		wantErr(t, err, nil)
		byCode, err := client.PhoneNumber(t.Context(), minted.Code, alice)
		wantErr(t, err, nil)
		sealed, err := f.sim.EncryptPhone(wechatsim.User{}, number, wechatsim.Sealing{SessionKey: sampleKey})
		wantErr(t, err, nil)
		opened, err := client.Open(keys(sampleKey), auth.OpenData{EncryptedData: sealed.EncryptedData, IV: sealed.IV})
		wantErr(t, err, nil)
		for way, phone := range map[string]auth.Phone{"code": byCode, "encrypted": *opened.Phone} {
			if phone.PurePhoneNumber != want || phone.PhoneNumber != want || phone.Test != (sent != want) || phone.E164() != "+86"+want {
				t.Errorf("%s of %s: %+v", way, sent, phone)
			}
		}
	}
	if _, err := wechat.New(wechat.Config{Platform: wechat.QQ, AppID: "1", Secret: secret, TestPhones: numbers}); !errors.Is(err, auth.ErrAppMisconfigured) {
		t.Errorf("on another platform: %v", err)
	}
}
