package wechat_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// sampleUserSignature is the signature in wechat-api.md section 2.3, for sampleKey.
	sampleUserSignature = "7154f9f8b4b76b92f541cbf0e37d48840fa06e5e42da92a6f80168a1516a4735"
	newKey              = "HyVFkGl5F5OQWJZZaNzBBg=="
	goodReset           = `{"errcode":0,"errmsg":"ok","openid":"oABCDEFGHIJKLMNOPQRSTUVWXYZ0","session_key":"` + newKey + `"}`
)

// signed responds if the request is as WeChat documents it.
func signed(t *testing.T, body string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.Method != http.MethodGet || len(query) != 4 || query.Get("access_token") != token ||
			query.Get("openid") != string(openid) || query.Get("signature") != sampleUserSignature ||
			query.Get("sig_method") != "hmac_sha256" {
			t.Errorf("got %s %v", r.Method, query)
		}
		respond(body)(w, r)
	}
}

func TestCheckSession(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body string
		err  error
	}{
		"valid":           {`{"errcode":0,"errmsg":"ok"}`, nil},
		"valid, string":   {`{"errcode":"0","errmsg":"ok"}`, nil},
		"another key":     {`{"errcode":87009,"errmsg":"signature ` + sampleUserSignature + `"}`, auth.ErrSessionStale},
		"no key":          {`{"errcode":87007}`, auth.ErrSessionStale},
		"bad method":      {`{"errcode":87008}`, auth.ErrSessionStale},
		"another app's":   {`{"errcode":40013}`, auth.ErrAppMisconfigured},
		"empty object":    {`{}`, auth.ErrWeChatUnreadable},
		"null":            {`null`, auth.ErrWeChatUnreadable},
		"errcode null":    {`{"errcode":null}`, auth.ErrWeChatUnreadable},
		"not about users": {`{"errcode":48001}`, auth.ErrAppMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPath, signed(t, row.body))
			err := dial(t, p).CheckSession(t.Context(), openid, auth.SessionKey{Key: sampleKey})
			wantErr(t, err, row.err)
		})
	}
}

func TestCheckSessionIsRetriedOnce(t *testing.T) {
	t.Parallel()
	for _, first := range []string{`{"errcode":-1}`, `<html>`, ``} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPath, respond(first), signed(t, `{"errcode":0}`))
			wantErr(t, direct(t, p).CheckSession(t.Context(), openid, auth.SessionKey{Key: sampleKey}), nil)
			wantCalls(t, p, checkPath, 2)
		})
	}
}

func TestCheckSessionWithAStaleToken(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken)).on(checkPath, respond(`{"errcode":42001}`), respond(`{"errcode":0}`))
	wantErr(t, dial(t, p).CheckSession(t.Context(), openid, auth.SessionKey{Key: sampleKey}), nil)
	wantCalls(t, p, tokenPath, 2)
	wantCalls(t, p, checkPath, 2)
}

func TestResetSessionKey(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body string
		err  error
	}{
		"reset":        {goodReset, nil},
		"gone":         {`{"errcode":87007}`, auth.ErrSessionStale},
		"busy":         {`{"errcode":-1}`, auth.ErrWeChatBusy},
		"arguments":    {`{"errcode":40097}`, auth.ErrInvalidRequest},
		"no key":       {`{"errcode":0,"openid":"` + string(openid) + `"}`, auth.ErrWeChatUnreadable},
		"another user": {`{"errcode":0,"openid":"o2","session_key":"` + newKey + `"}`, auth.ErrWeChatUnreadable},
		"empty":        {``, auth.ErrWeChatUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(tokenPath, respond(goodToken)).on(resetPath, signed(t, row.body))
			got, err := dial(t, p).ResetSessionKey(t.Context(), openid, auth.SessionKey{Key: sampleKey})
			wantErr(t, err, row.err)
			if err == nil && (got.Key != newKey || got.ObtainedAt.IsZero()) || err != nil && got != (auth.SessionKey{}) {
				t.Fatalf("got %+v", got)
			}
			wantCalls(t, p, resetPath, 1)
		})
	}
}

func TestUserSessionsRefuseWithoutACall(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(tokenPath, respond(goodToken))
	client := dial(t, p)
	wantErr(t, client.CheckSession(t.Context(), "", auth.SessionKey{Key: sampleKey}), auth.ErrInvalidRequest)
	wantErr(t, client.CheckSession(t.Context(), openid, auth.SessionKey{}), auth.ErrInvalidRequest)
	_, err := client.ResetSessionKey(t.Context(), "o 1", auth.SessionKey{Key: sampleKey})
	wantErr(t, err, auth.ErrInvalidRequest)
	wantCalls(t, p, checkPath, 0)
	wantCalls(t, p, resetPath, 0)
}

// TestErrmsgHasNoOpenID: an openid that WeChat repeats in its errmsg is removed, since the
// errmsg is logged.
func TestErrmsgHasNoOpenID(t *testing.T) {
	t.Parallel()
	repeats := respond(`{"errcode":40003,"errmsg":"invalid openid ` + string(openid) + ` rid: 1234"}`)
	client := dial(t, newPlatform().on(tokenPath, respond(goodToken)).on(phonePath, repeats).on(checkPath, repeats).on(resetPath, repeats))
	_, phone := client.PhoneNumber(t.Context(), code, openid)
	_, reset := client.ResetSessionKey(t.Context(), openid, auth.SessionKey{Key: sampleKey})
	for call, err := range map[string]error{
		"phone": phone, "check": client.CheckSession(t.Context(), openid, auth.SessionKey{Key: sampleKey}), "reset": reset,
	} {
		if err == nil || strings.Contains(err.Error(), string(openid)) || !strings.Contains(err.Error(), "invalid openid [redacted] rid: 1234") {
			t.Errorf("%s: %v", call, err)
		}
	}
}
