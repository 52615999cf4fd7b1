// Package simpush makes what WeChat's servers push to the server of a mini program.
// https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
package simpush

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WeChat signs pushes with SHA-1; it is not ours to choose
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/sealing"
)

// A Target is what the console of a mini program knows of where its messages go
// (消息推送配置).
type Target struct {
	Token          string
	EncodingAESKey string // plain mode when empty, else 安全模式
	XML            bool   // JSON otherwise
	Receiver       string // whose key it is; default: the app
}

// A Request is a message as WeChat sends it, by POST. A GET, which checks the address, has no
// body.
type Request struct {
	Query url.Values
	Body  []byte
}

// Check is the GET with which the console checks an address.
func Check(s *wechatsim.Sim, to Target) Request {
	r := Request{Query: query(s, to)}
	r.Query.Set("echostr", digits(19))
	return r
}

// Event is an event about a user, such as user_authorization_revoke, with the members of the
// page on 授权用户信息变更 and the spelling of its samples. What the user withdraws is the phone
// number. The error is [wechatsim.ErrUnknownApp].
// https://developers.weixin.qq.com/miniprogram/security/basic/listen.html
func Event(s *wechatsim.Sim, u wechatsim.User, event string, to Target) (Request, error) {
	return Withdraw(s, u, event, "8", to)
}

// Withdraw is [Event] with a RevokeInfo, such as "6" for nickname and avatar.
func Withdraw(s *wechatsim.Sim, u wechatsim.User, event, revokeInfo string, to Target) (Request, error) {
	u, err := s.Resolve(u)
	if err != nil {
		return Request{}, err
	}
	now := s.Now().Unix()
	text := fmt.Sprintf(`{"ToUserName": "gh_870882ca4b1","FromUserName": "oaKk346BaWE-eIn4oSRWbaM9vR7s","CreateTime": %d,`+
		`"MsgType": "event","Event": "%s"," OpenID": "%s"," AppID": "%s"," RevokeInfo": "%s"}`, now, event, u.OpenID, u.App, revokeInfo)
	if to.XML {
		text = fmt.Sprintf("<xml><ToUserName><![CDATA[gh_870882ca4b1]]></ToUserName>\n<FromUserName><![CDATA[owAqB1v0ahK_Xlc7GshIDdf2yf7E]]></FromUserName>\n"+
			"<CreateTime>%d</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[%s]]></Event>\n<OpenID><![CDATA[%s]]></OpenID>\n"+
			"<AppID><![CDATA[%s]]></AppID>\n<RevokeInfo><![CDATA[%s]]></RevokeInfo>\n</xml>", now, event, u.OpenID, u.App, revokeInfo)
	}
	if to.Receiver == "" {
		to.Receiver = u.App
	}
	return Message(s, text, to)
}

// Message signs a message and, in 安全模式, encrypts it. The error is [sealing.ErrBadAESKey].
func Message(s *wechatsim.Sim, text string, to Target) (Request, error) {
	r := Request{Query: query(s, to), Body: []byte(text)}
	if to.EncodingAESKey == "" {
		return r, nil
	}
	sealed, err := sealing.Push(to.EncodingAESKey, to.Receiver, []byte(text))
	if err != nil {
		return r, err
	}
	r.Query.Set("encrypt_type", "aes")
	r.Query.Set("msg_signature", Signature(to.Token, r.Query.Get("timestamp"), r.Query.Get("nonce"), sealed))
	r.Body = []byte(`{"ToUserName":"gh_870882ca4b1","Encrypt":"` + sealed + `"}`)
	if to.XML {
		r.Body = []byte("<xml>\n<ToUserName><![CDATA[gh_870882ca4b1]]></ToUserName>\n<Encrypt><![CDATA[" + sealed + "]]></Encrypt>\n</xml>")
	}
	return r, nil
}

func query(s *wechatsim.Sim, to Target) url.Values {
	stamp, nonce := strconv.FormatInt(s.Now().Unix(), 10), digits(9)
	return url.Values{"timestamp": {stamp}, "nonce": {nonce}, "signature": {Signature(to.Token, stamp, nonce)}}
}

// Signature is the SHA-1 of its parts, sorted and joined, in hex.
func Signature(parts ...string) string {
	sorted := sort.StringSlice(append([]string(nil), parts...))
	sorted.Sort()
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(sorted, "")))) //nolint:gosec // see the import
}

// digits returns a random number of n digits.
func digits(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: see crypto/rand
	for i := range b {
		b[i] = '1' + b[i]%9
	}
	return string(b)
}
