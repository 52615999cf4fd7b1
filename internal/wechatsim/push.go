package wechatsim

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// ErrBadPush means that a push configuration cannot be used.
var ErrBadPush = errors.New("bad push configuration")

// PushModes are the values of Push.Mode, in the order of WeChat's console: 明文模式, 兼容模式
// and 安全模式.
var PushModes = []string{"plain", "compatible", "secure"}

// PushFormats are the values of Push.Format.
var PushFormats = []string{"json", "xml"}

// Push is where WeChat sends the messages and events of an app (消息推送配置). The zero value
// sends none.
type Push struct {
	URL            string `json:"url"` // http or https
	Token          string `json:"token"`
	EncodingAESKey string `json:"encoding_aes_key"` // required unless Mode is plain
	Mode           string `json:"mode"`             // one of [PushModes]; default: secure with a key, else plain
	Format         string `json:"format"`           // one of [PushFormats]; default: json
}

// Check returns p with its default mode and format. The error is [ErrBadPush].
func (p Push) Check() (Push, error) {
	if p.Mode == "" {
		p.Mode = "plain"
		if p.EncodingAESKey != "" {
			p.Mode = "secure"
		}
	}
	if p.Format == "" {
		p.Format = "json"
	}
	to, err := url.Parse(p.URL)
	switch {
	case err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "":
		return p, fmt.Errorf("%w: the URL must begin with http:// or https://", ErrBadPush)
	case p.Token == "":
		return p, fmt.Errorf("%w: token is required", ErrBadPush)
	case !slices.Contains(PushModes, p.Mode):
		return p, fmt.Errorf("%w: unrecognized mode %q; expected one of: %v", ErrBadPush, p.Mode, PushModes)
	case !slices.Contains(PushFormats, p.Format):
		return p, fmt.Errorf("%w: unrecognized format %q; expected one of: %v", ErrBadPush, p.Format, PushFormats)
	case p.Mode != "plain" && p.EncodingAESKey == "":
		return p, fmt.Errorf("%w: mode %s requires the EncodingAESKey", ErrBadPush, p.Mode)
	}
	return p, nil
}
