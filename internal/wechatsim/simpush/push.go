// Package simpush pushes messages and events to the server of an app, as WeChat's servers do.
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
	Compatible     bool   // with a key: 兼容模式, the message is sent in the clear, too
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
	r.Query.Set("echostr", digits(19)) //nolint:mnd // as long as WeChat's
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
	if to.Receiver == "" {
		to.Receiver = u.App
	}
	return Message(s, withdrawn(s, u, event, revokeInfo, to.XML), to)
}

// Message signs a message and, unless the mode is plain, encrypts it. The error is
// [sealing.ErrBadAESKey].
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
	outer := members{{"ToUserName", account}}.render(to.XML)
	if to.Compatible {
		outer = text
	}
	r.Body = []byte(addMember(outer, "Encrypt", sealed, to.XML))
	return r, nil
}

// addMember adds a member at the end of a message.
func addMember(text, name, value string, isXML bool) string {
	text = strings.TrimSpace(text)
	if isXML {
		return strings.TrimSuffix(text, "</xml>") + "<" + name + "><![CDATA[" + value + "]]></" + name + "></xml>"
	}
	return strings.TrimSuffix(text, "}") + `,"` + name + `":"` + value + `"}`
}

func query(s *wechatsim.Sim, to Target) url.Values {
	stamp, nonce := strconv.FormatInt(s.Now().Unix(), 10), digits(9) //nolint:mnd // as long as WeChat's
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
