package wechat

import (
	"context"
	"fmt"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// PhoneNumber implements [auth.Platform] with POST getuserphonenumber. The code can
// be spent once. The call is repeated only after WeChat refused the access token,
// which it does before it reads the code.
func (c *Client) PhoneNumber(ctx context.Context, code string, openid auth.OpenID) (auth.Phone, error) {
	var phone auth.Phone
	charged := false
	err := c.checkPhoneCode(code, openid)
	if err == nil {
		err = c.withToken(ctx, func(ctx context.Context, token string) (err error) {
			phone, charged, err = c.phoneNumber(ctx, token, code, openid)
			return err
		})
	}
	if err != nil && !charged {
		err = fmt.Errorf("%w: %w", auth.ErrNotCharged, err)
	}
	return phone, err
}

// checkPhoneCode refuses arguments that WeChat would refuse, without a call.
func (c *Client) checkPhoneCode(code string, openid auth.OpenID) error {
	if err := c.miniProgramOnly(platform.CallPhone); err != nil {
		return err
	}
	if err := checkCode(code); err != nil {
		return err
	}
	if !auth.ValidID(openid) {
		return fmt.Errorf("%w: a phone code needs the openid of its user", auth.ErrInvalidRequest)
	}
	return nil
}

// phoneNumber makes the call. charged is false if the call certainly cost nothing: there was no
// connection to send it, or WeChat refused it with a known error code. WeChat charges once for
// each phone code that it gives to the mini program, and does not charge for a code that it
// refuses.
// https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/getPhoneNumber.html
func (c *Client) phoneNumber(ctx context.Context, token, code string, openid auth.OpenID) (phone auth.Phone, charged bool, err error) {
	var response struct {
		Info opendata.PhoneInfo `json:"phone_info"`
	}
	check := func() error {
		number, missing, ok := response.Info.Phone()
		if !ok {
			return platform.Incomplete(platform.CallPhone, missing)
		}
		if number.Watermark.AppID != c.cfg.AppID {
			return fmt.Errorf("%w: the number was made for app %q", auth.ErrWatermarkMismatch, number.Watermark.AppID)
		}
		phone = c.cfg.TestPhones.Replace(number)
		return nil
	}
	ctx, unsent := traceUnsent(ctx)
	err = c.peer.do(ctx, platform.Request{
		Name:  platform.CallPhone,
		Path:  "/wxa/business/getuserphonenumber",
		Query: url.Values{"access_token": {token}},
		Body: struct {
			Code   string      `json:"code"`
			OpenID auth.OpenID `json:"openid"` // WeChat then refuses the code of another user
		}{code, openid},
		Secrets: []string{token, code, string(openid)},
	}, c.decode(platform.CallPhone, &response, check))
	return phone, err == nil || !unsent() && !c.dialect.IsRefused(err), err
}

// traceUnsent returns a context for one call. After the call has failed, unsent reports whether
// there was no connection to send it. It is false for a transport that does not report this.
func traceUnsent(ctx context.Context) (traced context.Context, unsent func() bool) {
	var wanted, got atomic.Bool
	traced = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})
	return traced, func() bool { return wanted.Load() && !got.Load() }
}

// CheckPhone implements [auth.Platform] with POST checkencryptedmsg: WeChat remembers for
// three days which phone numbers it encrypted. The call has no effects, so it may be
// retried.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/basic-info/checkEncryptedData.html
func (c *Client) CheckPhone(ctx context.Context, data auth.OpenData) error {
	if !c.cfg.CheckPhone {
		return nil
	}
	if err := c.miniProgramOnly(platform.CallCheckPhone); err != nil {
		return err
	}
	hash, err := opendata.Hash(data)
	if err != nil {
		return err
	}
	return c.withToken(ctx, func(ctx context.Context, token string) error {
		return guard.RetryOnce(ctx, c.dialect, func() error { return c.checkPhone(ctx, token, hash) })
	})
}

func (c *Client) checkPhone(ctx context.Context, token, hash string) error {
	var response struct {
		Valid *bool `json:"vaild"` // WeChat's spelling
	}
	return c.peer.do(ctx, platform.Request{
		Name:  platform.CallCheckPhone,
		Path:  "/wxa/business/checkencryptedmsg",
		Query: url.Values{"access_token": {token}},
		Body: struct {
			Hash string `json:"encrypted_msg_hash"`
		}{hash},
		Secrets: []string{token, hash},
	}, c.decode(platform.CallCheckPhone, &response, func() error {
		switch {
		case response.Valid == nil:
			return platform.Incomplete(platform.CallCheckPhone, "vaild")
		case !*response.Valid:
			return fmt.Errorf("%w: WeChat did not encrypt this phone number", auth.ErrDecryptFailed)
		}
		return nil
	}))
}
