package wechat

import (
	"context"
	"fmt"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// PhoneNumber implements [auth.Platform] with POST getuserphonenumber. The code can
// be spent once. The call is repeated only after WeChat refused the access token,
// which it does before it reads the code.
func (c *Client) PhoneNumber(ctx context.Context, code string, openid auth.OpenID) (auth.Phone, error) {
	if err := c.weixinOnly(platform.CallPhone); err != nil {
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
		Info opendata.PhoneInfo `json:"phone_info"`
	}
	var phone auth.Phone
	check := func() error {
		number, missing, ok := answer.Info.Phone()
		if !ok {
			return platform.Incomplete(platform.CallPhone, missing)
		}
		if number.Watermark.AppID != c.cfg.AppID {
			return fmt.Errorf("%w: the number was made for app %q", auth.ErrWatermarkMismatch, number.Watermark.AppID)
		}
		phone = number
		return nil
	}
	err := c.peer.do(ctx, platform.Request{
		Name:  platform.CallPhone,
		Path:  "/wxa/business/getuserphonenumber",
		Query: url.Values{"access_token": {token}},
		Body: struct {
			Code   string      `json:"code"`
			OpenID auth.OpenID `json:"openid"` // WeChat then refuses the code of another user
		}{code, openid},
		Secrets: []string{token, code, string(openid)},
	}, c.decode(platform.CallPhone, &answer, check))
	return phone, err
}
