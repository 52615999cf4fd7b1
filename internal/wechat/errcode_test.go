package wechat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// TestErrcodes checks the errcodes of wechat-api.md section 1.12, for each call.
func TestErrcodes(t *testing.T) {
	t.Parallel()
	// 23:59:30 in Beijing: WeChat's day ends in half a minute.
	evening := time.Date(2026, 7, 1, 15, 59, 30, 0, time.UTC)
	misconfigured := []int{
		40125, 41002, 41004, 40002, 40243, 50004, 50007, 50002, 40164, 89503, 89506, 89507,
		41001, 43002, 44002, 47001, 48001, 48004, 61003,
	}
	type row struct {
		code         int
		login, phone error
		after        time.Duration
	}
	rows := []row{
		{-1, auth.ErrWeChatBusy, auth.ErrWeChatBusy, time.Second},
		{40001, auth.ErrAppMisconfigured, auth.ErrWeChatBusy, -1},
		{40013, auth.ErrAppMisconfigured, auth.ErrInvalidPhoneCode, 0},
		{40029, auth.ErrInvalidCode, auth.ErrInvalidPhoneCode, 0},
		{40163, auth.ErrCodeUsed, auth.ErrInvalidPhoneCode, 0},
		{41008, auth.ErrInvalidRequest, auth.ErrInvalidRequest, 0},
		{40097, auth.ErrInvalidRequest, auth.ErrInvalidRequest, 0},
		{40226, auth.ErrRiskBlocked, auth.ErrRiskBlocked, 0},
		{45009, auth.ErrWeChatBusy, auth.ErrWeChatBusy, 30 * time.Second},
		{45011, auth.ErrRateLimited, auth.ErrRateLimited, time.Minute},
		{87007, auth.ErrSessionStale, auth.ErrSessionStale, 0},
		{87008, auth.ErrSessionStale, auth.ErrSessionStale, 0},
		{87009, auth.ErrSessionStale, auth.ErrSessionStale, 0},
		{12345, auth.ErrWeChatUnreadable, auth.ErrWeChatUnreadable, 0},
		{-99, auth.ErrWeChatUnreadable, auth.ErrWeChatUnreadable, 0},
	}
	for _, code := range misconfigured {
		rows = append(rows, row{code, auth.ErrAppMisconfigured, auth.ErrAppMisconfigured, 0})
	}
	for _, row := range rows {
		t.Run(fmt.Sprint(row.code), func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"errcode":%d,"errmsg":"why\u0007, rid: 1234"}`, row.code)
			p := newPlatform().on(loginPath, respond(body)).on(phonePath, respond(body)).on(tokenPath, respond(goodToken))
			client := mustClient(t, wechat.Config{
				API: "http://wechat.invalid", Transport: p, Now: func() time.Time { return evening },
			})
			_, err := client.Exchange(t.Context(), code)
			wantPlatformErr(t, err, row.login, row.code, row.after)
			_, err = client.PhoneNumber(t.Context(), code, openid)
			wantPlatformErr(t, err, row.phone, row.code, row.after)
			wantCalls(t, p, loginPath, 1)
		})
	}
}

func wantPlatformErr(t *testing.T, err, class error, code int, after time.Duration) {
	t.Helper()
	wantErr(t, err, class)
	var platform *auth.PlatformError
	if !errors.As(err, &platform) {
		t.Fatalf("%v is not a PlatformError", err)
	}
	if platform.Code != code || platform.Message != "why , rid: 1234" || after >= 0 && platform.RetryAfter != after {
		t.Fatalf("got %+v", platform)
	}
}

func TestErrmsgIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlatform().on(loginPath, respond(`{"errcode":40029,"errmsg":"`+strings.Repeat("长", 10000)+`"}`))
	_, err := direct(t, p).Exchange(t.Context(), code)
	wantErr(t, err, auth.ErrInvalidCode)
	if len(err.Error()) > 1024 {
		t.Fatalf("an error of %d bytes", len(err.Error()))
	}
}

// TestErrmsgIsCutAfterItsSecrets: secrets are removed before the errmsg is truncated. Otherwise
// the beginning of a secret could remain.
func TestErrmsgIsCutAfterItsSecrets(t *testing.T) {
	t.Parallel()
	for at := 512 - len(secret); at <= 512; at++ {
		p := newPlatform().on(loginPath, respond(`{"errcode":40125,"errmsg":"`+strings.Repeat("x", at)+secret+` `+secret+`"}`))
		_, err := direct(t, p).Exchange(t.Context(), code)
		wantErr(t, err, auth.ErrAppMisconfigured)
		if strings.Contains(err.Error(), secret[:1]) {
			t.Fatalf("at %d: %v", at, err)
		}
	}
}

// The day ends at midnight in Beijing, in whatever time zone the gateway is.
func TestDailyQuotaEndsAtMidnightInBeijing(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"begins": {time.Date(2026, 12, 30, 16, 0, 0, 0, time.UTC), 24 * time.Hour},
		"noon":   {time.Date(2026, 12, 31, 12, 0, 0, 0, time.FixedZone("", 8*3600)), 12 * time.Hour},
		"west":   {time.Date(2026, 12, 31, 8, 0, 0, 0, time.FixedZone("", -5*3600)), 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform().on(loginPath, respond(`{"errcode":45009}`))
			client := mustClient(t, wechat.Config{
				API: "http://wechat.invalid", Transport: p, Now: func() time.Time { return row.now },
			})
			_, err := client.Exchange(t.Context(), code)
			var platform *auth.PlatformError
			if !errors.As(err, &platform) || platform.RetryAfter != row.want {
				t.Fatalf("got %+v, want %v", platform, row.want)
			}
		})
	}
}
