package wechat_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// documentedData is the example of WeChat's page about checkencryptedmsg, with its hash.
const (
	documentedData = "hsSuSUsePBqSQw2rYMtf9Nvha603xX8f2BMQBcYRoJiMNwOqt/UEhrqekebG5ar0LFNAm5MD4Uz6zorRwiXJwbySJ/FEJHav4NsobBIU1PwdjbJWVQLFy7+YFkHB32OnQXWMh6ugW7Dyk2KS5BXp1f5lniKPp1KNLyNLlFlNZ2mgJCJmWvHj5AI7BLpWwoRvqRyZvVXo+9FsWqvBdxmAPA=="
	documentedHash = "657edd868c9715a9bebe42b833269a557a48498785397a796f1568c29a200b2c"
)

// hashed responds if the request is as WeChat documents it.
func hashed(t *testing.T, body string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Query().Get("access_token") != token || string(sent) != `{"encrypted_msg_hash":"`+documentedHash+`"}` {
			t.Errorf("got %s %v %s, %v", r.Method, r.URL.Query(), sent, err)
		}
		respond(body)(w, r)
	}
}

// checking returns a client of p that asks WeChat to confirm phone numbers.
func checking(t *testing.T, p *fakePlatform) *wechat.Client {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return mustClient(t, wechat.Config{API: server.URL, CheckPhone: true})
}

func TestCheckPhone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body string
		err  error
	}{
		"WeChat's":                {`{"errcode":0,"errmsg":"ok","vaild":true,"create_time":1629121902}`, nil},
		"not WeChat's":            {`{"errcode":0,"errmsg":"ok","vaild":false}`, auth.ErrDecryptFailed},
		"unknown or old":          {`{"errcode":1,"errmsg":"x"}`, auth.ErrDecryptFailed},
		"no result":               {`{"errcode":0,"errmsg":"ok"}`, auth.ErrWeChatUnreadable},
		"null":                    {`{"errcode":0,"vaild":null}`, auth.ErrWeChatUnreadable},
		"member valid, not vaild": {`{"errcode":0,"valid":true}`, auth.ErrWeChatUnreadable},
		"a string":                {`{"errcode":0,"vaild":"true"}`, auth.ErrWeChatUnreadable},
		"a bad hash":              {`{"errcode":40097}`, auth.ErrWeChatUnreadable},
		"no permission":           {`{"errcode":48001}`, auth.ErrAppMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(tokenPath, respond(goodToken)).on(knownPath, hashed(t, row.body))
			wantErr(t, checking(t, p).CheckPhone(t.Context(), auth.OpenData{EncryptedData: documentedData}), row.err)
		})
	}
	// In whatever spelling the client sends base64, WeChat gets the hash of WeChat's spelling.
	p := newPlatform().on(tokenPath, respond(goodToken)).on(knownPath, hashed(t, `{"errcode":0,"vaild":true}`))
	spelled := auth.OpenData{EncryptedData: "\n" + documentedData[:len(documentedData)-2]}
	wantErr(t, checking(t, p).CheckPhone(t.Context(), spelled), nil)
	wantErr(t, checking(t, p).CheckPhone(t.Context(), auth.OpenData{EncryptedData: "*"}), auth.ErrInvalidRequest)
}

// Without the option, WeChat is not called.
func TestCheckPhoneIsOff(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	wantErr(t, dial(t, p).CheckPhone(t.Context(), auth.OpenData{EncryptedData: documentedData}), nil)
	wantCalls(t, p, knownPath, 0)
}

// TestCheckPhoneWithTheSimulator: the simulator, written from WeChat's page, confirms data that
// a phone encrypted, only for its own app and for three days.
func TestCheckPhoneWithTheSimulator(t *testing.T) {
	t.Parallel()
	f := newFaulted(t)
	wantErr(t, f.checkPhone(), nil)
	forged, err := f.sim.EncryptJSON(wechatsim.User{}, []byte(`{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"}`), wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, f.client.CheckPhone(t.Context(), auth.OpenData{EncryptedData: forged.EncryptedData, IV: forged.IV}), auth.ErrDecryptFailed)
}
