// Package pushtarget has where WeChat sends the messages and events of an app.
package pushtarget

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// ErrBad means that a push configuration cannot be used.
var ErrBad = errors.New("bad push configuration")

// Modes are the values of Target.Mode, in the order of WeChat's console: 明文模式, 兼容模式
// and 安全模式.
var Modes = []string{"plain", "compatible", "secure"}

// Formats are the values of Target.Format.
var Formats = []string{"json", "xml"}

// A Target is where WeChat sends the messages and events of an app (消息推送配置). The zero value
// sends none.
type Target struct {
	URL            string `json:"url"` // http or https
	Token          string `json:"token"`
	EncodingAESKey string `json:"encoding_aes_key"` // required unless Mode is plain
	Mode           string `json:"mode"`             // one of [Modes]; default: secure with a key, else plain
	Format         string `json:"format"`           // one of [Formats]; default: json
}

// Check returns p with its default mode and format. The error is [ErrBad].
func (p Target) Check() (Target, error) {
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
		return p, fmt.Errorf("%w: the URL must begin with http:// or https://", ErrBad)
	case p.Token == "":
		return p, fmt.Errorf("%w: token is required", ErrBad)
	case !slices.Contains(Modes, p.Mode):
		return p, fmt.Errorf("%w: unrecognized mode %q; expected one of: %v", ErrBad, p.Mode, Modes)
	case !slices.Contains(Formats, p.Format):
		return p, fmt.Errorf("%w: unrecognized format %q; expected one of: %v", ErrBad, p.Format, Formats)
	case p.Mode != "plain" && p.EncodingAESKey == "":
		return p, fmt.Errorf("%w: mode %s requires the EncodingAESKey", ErrBad, p.Mode)
	}
	return p, nil
}
