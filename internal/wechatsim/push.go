package wechatsim

import (
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/pushtarget"
)

// Push is where WeChat sends the messages and events of an app (消息推送配置). The zero value
// sends none.
type Push = pushtarget.Target

// ErrBadPush means that a push configuration cannot be used.
var ErrBadPush = pushtarget.ErrBad

// The values of Push.Mode and Push.Format.
var (
	PushModes   = pushtarget.Modes
	PushFormats = pushtarget.Formats
)

// defaultAddresses are those of the sample in WeChat's documentation. The simulator calls
// from the first.
var defaultAddresses = []string{"127.0.0.1", "127.0.0.2", "101.226.103.0/25"}

// SetCallbackAddresses sets the addresses and networks from which WeChat's servers call.
// Default: 127.0.0.1 and some others.
func (s *Sim) SetCallbackAddresses(list ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addresses = list
}

// callbackAddresses is GET /cgi-bin/getcallbackip (获取微信推送服务器IP).
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/openApi-mgnt/getCallbackIp.html
func (s *Sim) callbackAddresses(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, code := s.checkToken(c.query.Get("access_token")); code != 0 {
		return failure(c.path, code)
	}
	return protocol.Success(struct {
		List []string `json:"ip_list"`
	}{s.addresses})
}
