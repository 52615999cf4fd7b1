package wechat

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// maxImageBytes bounds the image of a mini program code, which has some 100 KiB.
	maxImageBytes = 1 << 20
	// maxSceneBytes is WeChat's limit for the scene of a code.
	maxSceneBytes = 32
	// sceneLetters are the characters of a scene.
	sceneLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&'()*+,/:;=?@-._~"
)

// MiniProgramCode returns the image of a mini program code (小程序码), which opens a page of
// the mini program with a scene; page "" is its first page. The page must be in the released
// version. The media type is image/png or image/jpeg. The call has no effects, so it may be
// retried.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/qrcode-link/qr-code/getUnlimitedQRCode.html
func (c *Client) MiniProgramCode(ctx context.Context, scene, page string) (image []byte, mediaType string, err error) {
	if err := c.miniProgramOnly(platform.CallMiniProgramCode); err != nil {
		return nil, "", err
	}
	if scene == "" || len(scene) > maxSceneBytes || strings.Trim(scene, sceneLetters) != "" {
		return nil, "", fmt.Errorf("%w: a scene has 1 to %d characters of WeChat's alphabet", auth.ErrInvalidRequest, maxSceneBytes)
	}
	err = c.withToken(ctx, func(ctx context.Context, token string) error {
		return guard.RetryOnce(ctx, c.dialect, func() (err error) {
			image, mediaType, err = c.miniProgramCode(ctx, token, scene, page)
			return err
		})
	})
	return image, mediaType, err
}

func (c *Client) miniProgramCode(ctx context.Context, token, scene, page string) (image []byte, mediaType string, err error) {
	var response struct {
		Buffer []byte `json:"buffer"` // the image, in a response that was encrypted
	}
	decode := c.decode(platform.CallMiniProgramCode, &response, func() error {
		image, mediaType = response.Buffer, imageType(response.Buffer)
		if mediaType == "" {
			return platform.Incomplete(platform.CallMiniProgramCode, "image")
		}
		return nil
	})
	err = c.peer.do(ctx, platform.Request{
		Name:  platform.CallMiniProgramCode,
		Path:  "/wxa/getwxacodeunlimit",
		Query: url.Values{"access_token": {token}},
		Body: struct {
			Scene string `json:"scene"`
			Page  string `json:"page,omitempty"`
		}{scene, page},
		Secrets:  []string{token, scene},
		MaxBytes: maxImageBytes,
	}, func(r reply) error {
		if mediaType = imageType(r.body); mediaType == "" || r.status != http.StatusOK {
			return decode(r)
		}
		image = r.body
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return image, mediaType, nil
}

// imageType returns the media type of an image by its first bytes, not by a header, so that a
// page cannot show anything but an image. It returns "" if the bytes are not an image of a
// code.
func imageType(body []byte) string {
	switch found := http.DetectContentType(body); found {
	case "image/png", "image/jpeg":
		return found
	}
	return ""
}
