package wechatsim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// MintPluginCode does what wx.pluginLogin does in a plugin of the user's app that runs in the
// mini program host: it returns a code that /wxa/getpluginopenpid accepts once, within five
// minutes.
func (s *Sim) MintPluginCode(u User, host string) (Code, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Code{}, err
	}
	if !s.isMiniProgram(key.app) {
		return Code{}, ErrNoPluginCodes
	}
	return s.mintHex(&code{kind: pluginCode, user: key, host: host}), nil
}

// OpenPIDFor returns the openpid of a user: it differs for each plugin and each mini program
// that it runs in.
func OpenPIDFor(plugin, host, openid string) string {
	sum := sha256.Sum256([]byte("openpid\x00" + plugin + "\x00" + host + "\x00" + openid))
	return "G" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]
}

// pluginOpenPID is POST /wxa/getpluginopenpid (获取插件用户openpid). A code of another kind, a
// used one and one that has expired have no openpid, 1007: the page names no other errcode for
// them.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/basic-info/getPluginOpenPId.html
func (s *Sim) pluginOpenPID(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	var in struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(c.body, &in) != nil {
		return failure(c.path, protocol.ErrPluginJSON)
	}
	ticket, errcode := s.usable(in.Code, pluginCode)
	switch {
	case in.Code == "":
		return failure(c.path, protocol.ErrPluginArgument)
	case errcode != 0:
		return failure(c.path, protocol.ErrNoOpenPID)
	case ticket.user.app != app:
		return failure(c.path, protocol.ErrPluginApp)
	}
	ticket.used = true
	return protocol.Success(struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		OpenPID string `json:"openpid"`
	}{0, "ok", OpenPIDFor(app, ticket.host, ticket.user.openid)})
}
