package wechat

import (
	"context"
	"fmt"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
)

// PhoneNumber implements [auth.Platform] with POST getuserphonenumber. The code
// is spent once: after a stale access token, which WeChat refuses before it looks
// at the code, the call is made again, and after nothing else.
func (c *Client) PhoneNumber(ctx context.Context, code string, openid auth.OpenID) (auth.Phone, error) {
	if err := c.weixinOnly(CallPhone); err != nil {
		return auth.Phone{}, err
	}
	if err := checkCode(code); err != nil {
		return auth.Phone{}, err
	}
	if !auth.ValidID(openid) {
		return auth.Phone{}, fmt.Errorf("%w: a phone code needs the openid of its user", auth.ErrInvalidRequest)
	}
	var phone auth.Phone
	err := c.withToken(ctx, func(ctx context.Context, token string) (err error) {
		phone, err = c.phoneNumber(ctx, token, code, openid)
		return err
	})
	return phone, err
}

func (c *Client) phoneNumber(ctx context.Context, token, code string, openid auth.OpenID) (auth.Phone, error) {
	var answer struct {
		Info struct {
			phoneFields
			Watermark *watermarkFields `json:"watermark"`
		} `json:"phone_info"`
	}
	var phone auth.Phone
	check := func() error {
		number, ok := answer.Info.phone(false)
		if !ok {
			return incomplete(CallPhone, "phone_info")
		}
		mark, ok := answer.Info.Watermark.watermark()
		if !ok {
			return incomplete(CallPhone, "watermark")
		}
		if mark.AppID != c.cfg.AppID {
			return fmt.Errorf("%w: the number was made for app %q", auth.ErrWatermarkMismatch, mark.AppID)
		}
		phone, phone.Watermark = number, mark
		return nil
	}
	err := c.peer.do(ctx, request{
		name:  CallPhone,
		path:  "/wxa/business/getuserphonenumber",
		query: url.Values{"access_token": {token}},
		body: struct {
			Code   string      `json:"code"`
			OpenID auth.OpenID `json:"openid"` // WeChat then refuses the code of another user
		}{code, openid},
		secrets: []string{token, code, string(openid)},
	}, c.answerOf(CallPhone, &answer, check))
	return phone, err
}
