package simcalls

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// paidUnionID is GET /wxa/getpaidunionid (支付后获取Unionid). Every trade that is named was paid by
// the user in the last five minutes: the simulator has no payments.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/basic-info/getPaidUnionid.html
func (s *State) paidUnionID(r Request) (any, int) {
	who, known := r.User(r.Query.Get("openid"))
	switch {
	case !known:
		return nil, protocol.ErrOpenID
	case r.Query.Get("transaction_id") == "" && (r.Query.Get("mch_id") == "" || r.Query.Get("out_trade_no") == ""):
		return nil, protocol.ErrTrade
	case who.UnionID == "":
		return nil, protocol.ErrNoOpenPlatform
	}
	return struct {
		UnionID string `json:"unionid"`
		okay
	}{who.UnionID, ok()}, 0
}

const (
	// keyLifetime is how long a key of a user is valid.
	keyLifetime = time.Hour

	// keptKeys is how many keys of a user the call returns.
	keptKeys = 3
)

// A userKey encrypts what a user's phone and the app's server send each other.
type userKey struct {
	key, iv string
	version int
	created time.Time
}

// encryptKeys is GET /wxa/business/getuserencryptkey (获取用户encryptKey). The phone makes a key when
// it needs one, by wx.getUserCryptoManager; here the call does, if the last one expired.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/internet/getUserEncryptKey.html
func (s *State) encryptKeys(r Request) (any, int) {
	openid, errcode := r.Signed()
	if errcode != 0 {
		return nil, errcode
	}
	at := [2]string{r.App, openid}
	list := s.keys[at]
	if len(list) == 0 || !r.Now.Before(list[len(list)-1].created.Add(keyLifetime)) {
		list = append(list, newUserKey(list, r.Now))
		s.keys[at] = list[max(0, len(list)-keptKeys):]
		list = s.keys[at]
	}
	type info struct {
		Key     string `json:"encrypt_key"`
		Version int    `json:"version"`
		Expires int    `json:"expire_in"`
		IV      string `json:"iv"`
		Created int64  `json:"create_time"`
	}
	infos := []info{}
	for _, k := range slices.Backward(list) { // newest first
		left := max(0, k.created.Add(keyLifetime).Sub(r.Now))
		infos = append(infos, info{k.key, k.version, int(left / time.Second), k.iv, k.created.Unix()})
	}
	return struct {
		okay
		List []info `json:"key_info_list"`
	}{ok(), infos}, 0
}

// newUserKey returns a key with the next version.
func newUserKey(before []userKey, now time.Time) userKey {
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // never fails: see crypto/rand
	version := 1
	if len(before) > 0 {
		version = before[len(before)-1].version + 1
	}
	return userKey{base64.StdEncoding.EncodeToString(raw[:16]), hex.EncodeToString(raw[16:]), version, now}
}

// sendSubscribed is POST /cgi-bin/message/subscribe/send (发送订阅消息). The users of the simulator
// accept every template, and their phones show nothing.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-message-management/subscribe-message/sendMessage.html
func (s *State) sendSubscribed(r Request) (any, int) {
	var in struct {
		User     string `json:"touser"`
		Template string `json:"template_id"`
		Data     map[string]struct {
			Value json.RawMessage `json:"value"` // a text, or a number
		} `json:"data"`
	}
	if errcode := protocol.Decode(r.Body, &in); errcode != 0 {
		return nil, errcode
	}
	_, known := r.User(in.User)
	switch {
	case !known:
		return nil, protocol.ErrOpenID
	case in.Template == "":
		return nil, protocol.ErrTemplate
	case len(in.Data) == 0:
		return nil, protocol.ErrMessageData
	}
	return ok(), 0
}

const (
	maxText  = 2500 // characters
	maxPlace = 4    // the highest scene

	// riskyText is in WeChat's samples of texts that the check refuses.
	riskyText = "特3456书yuuo莞6543李zxcz蒜7782法fgnv级"

	// visit is how long after a login the user may be named.
	visit = 2 * time.Hour
)

// checkText is POST /wxa/msg_sec_check (文本内容安全识别), version 2. It finds one text: see riskyText.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/sec-center/sec-check/msgSecCheck.html
func (s *State) checkText(r Request) (any, int) {
	var in struct {
		Content string `json:"content"`
		Version int    `json:"version"`
		Scene   int    `json:"scene"`
		OpenID  string `json:"openid"`
	}
	if errcode := protocol.Decode(r.Body, &in); errcode != 0 {
		return nil, errcode
	}
	who, known := r.User(in.OpenID)
	switch {
	case in.Content == "" || in.Version != 2 || utf8.RuneCountInString(in.Content) > maxText:
		return nil, protocol.ErrDataFormat
	case in.Scene < 1 || in.Scene > maxPlace:
		return nil, protocol.ErrScene
	case !known:
		return nil, protocol.ErrOpenID
	case r.Now.Sub(who.Visited) > visit:
		return nil, protocol.ErrNotVisited
	}
	found := verdict{Suggest: "pass", Label: 100}
	if strings.Contains(in.Content, riskyText) {
		found = verdict{Suggest: "risky", Label: 20006}
	}
	type detail struct {
		Strategy string `json:"strategy"`
		ErrCode  int    `json:"errcode"`
		verdict
		Prob int `json:"prob"`
	}
	return struct {
		okay
		Detail  []detail `json:"detail"`
		TraceID string   `json:"trace_id"`
		Result  verdict  `json:"result"`
	}{ok(), []detail{{Strategy: "content_model", verdict: found, Prob: 90}}, protocol.TraceID(), found}, 0
}

// A verdict is what a check found.
type verdict struct {
	Suggest string `json:"suggest"`
	Label   int    `json:"label"`
}
