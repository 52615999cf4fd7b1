package wechat

import (
	"context"
	"fmt"
	"net/url"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

// CheckPhone implements [auth.Platform] with POST checkencryptedmsg: WeChat remembers for
// three days which phone numbers it encrypted. The call has no effects, so it may be
// retried.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/basic-info/checkEncryptedData.html
func (c *Client) CheckPhone(ctx context.Context, data auth.OpenData) error {
	if !c.cfg.CheckPhone {
		return nil
	}
	if err := c.weixinOnly(platform.CallCheckPhone); err != nil {
		return err
	}
	hash, err := opendata.Hash(data)
	if err != nil {
		return err
	}
	return c.withToken(ctx, func(ctx context.Context, token string) error {
		return retryOnce(ctx, c.dialect, func() error { return c.checkPhone(ctx, token, hash) })
	})
}

func (c *Client) checkPhone(ctx context.Context, token, hash string) error {
	var answer struct {
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
	}, c.decode(platform.CallCheckPhone, &answer, func() error {
		switch {
		case answer.Valid == nil:
			return platform.Incomplete(platform.CallCheckPhone, "vaild")
		case !*answer.Valid:
			return fmt.Errorf("%w: WeChat did not encrypt this phone number", auth.ErrDecryptFailed)
		}
		return nil
	}))
}
