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

// wantCharged fails the test unless the error reports correctly whether the call may have cost
// money.
func wantCharged(t testing.TB, err error, charged bool) {
	t.Helper()
	if err == nil || errors.Is(err, auth.ErrNotCharged) == charged {
		t.Errorf("charged %t, want %t: %v", !errors.Is(err, auth.ErrNotCharged), charged, err)
	}
}

// TestPhoneCharged: a call that WeChat refuses costs nothing. A call that may have succeeded is
// counted.
func TestPhoneCharged(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		token, phone http.HandlerFunc
		charged      bool
	}{
		"invalid code":     {phone: respond(`{"errcode":40029}`)},
		"another user's":   {phone: respond(`{"errcode":40003}`)},
		"minute quota":     {phone: respond(`{"errcode":45011}`)},
		"day's quota":      {phone: respond(`{"errcode":45009}`)},
		"no permission":    {phone: respond(`{"errcode":48001}`)},
		"token refused":    {phone: respond(`{"errcode":40001}`)},
		"no token":         {token: respond(`{"errcode":40125}`)},
		"no token in time": {token: respondAs(http.StatusBadGateway, "text/html", "<html>")},
		"busy":             {phone: respond(`{"errcode":-1}`), charged: true},
		"unknown errcode":  {phone: respond(`{"errcode":12345}`), charged: true},
		"unreadable":       {phone: respondAs(http.StatusBadGateway, "text/html", "<html>"), charged: true},
		"no number":        {phone: respond(`{"errcode":0}`), charged: true},
		"another app's":    {phone: respond(`{"errcode":0,"phone_info":{"phoneNumber":"10000000001","purePhoneNumber":"10000000001","countryCode":"86","watermark":{"timestamp":1,"appid":"wxother"}}}`), charged: true},
		"closed":           {phone: closes, charged: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if row.token == nil {
				row.token = respond(goodToken)
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

// TestPhoneUnsent: a refused connection costs nothing, nor does a call that the circuit breaker
// stops. If the transport does not report what it sent, the call is counted.
func TestPhoneUnsent(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, respond(`{"errcode":-1}`))
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
		return newPlatform().on(tokenPath, respond(goodToken)).RoundTrip(r)
	})
	_, err = mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: silent}).PhoneNumber(t.Context(), code, openid)
	wantCharged(t, err, true)
}

// TestPhoneTimeoutCharged: a call that was sent and got no response is counted.
func TestPhoneTimeoutCharged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, hangs)
		_, err := direct(t, p).PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, auth.ErrWeChatTimeout)
		wantCharged(t, err, true)
	})
}

// TestTestPhones: the number of a virtual account is replaced, both with a phone code and in
// encrypted data. With a session key sent by the client it stays unverified. Other numbers
// don't change.
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
