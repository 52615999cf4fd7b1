package wechatsim

import (
	"github.com/wxgate/wxgate/internal/wechatsim/phonenumber"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// A PhoneNumber is a number as a user of the mini program has bound it.
type PhoneNumber = phonenumber.Number

// ErrBadPhone means that a phone number cannot be split into country and rest.
var ErrBadPhone = phonenumber.ErrBad

// FakePhone returns the number of a user who was added without one.
func FakePhone(openid string) string { return phonenumber.Fake(openid) }

// phoneOf returns p, or the user's number if p is the zero value.
func (s *Sim) phoneOf(key userKey, p PhoneNumber) (PhoneNumber, error) {
	if p == (PhoneNumber{}) {
		s.mu.Lock()
		p = s.userOf(key).phone
		s.mu.Unlock()
	}
	if p == (PhoneNumber{}) {
		p = s.virtualPhone(key)
	}
	return p.Normal(key.openid)
}

// userPhoneNumber is POST /wxa/business/getuserphonenumber (获取手机号).
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/phone-number/getPhoneNumber.html
//
// A code of another user than the openid sent is an invalid code, 40029: the
// page promises the check and does not name its errcode. Such a code, like one
// of another app (40013), is not spent by the attempt.
func (s *Sim) userPhoneNumber(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	var in struct {
		Code   string `json:"code"`
		OpenID string `json:"openid"`
	}
	if code := protocol.Decode(c.body, &in); code != 0 {
		return failure(c.path, code)
	}
	ticket, errcode := s.usable(in.Code, phoneCode)
	switch {
	case errcode != 0:
		return failure(c.path, errcode)
	case ticket.user.app != app:
		return failure(c.path, protocol.ErrAppID)
	case in.OpenID != "" && in.OpenID != ticket.user.openid:
		return failure(c.path, protocol.ErrInvalidCode)
	}
	ticket.used = true
	return protocol.Success(struct {
		ErrCode   int              `json:"errcode"`
		ErrMsg    string           `json:"errmsg"`
		PhoneInfo phonenumber.Info `json:"phone_info"`
	}{0, "ok", ticket.phone.Info(protocol.Watermark{Timestamp: s.Now().Unix(), AppID: app})})
}

// A Profile is a user's profile. The zero value is what WeChat returns today: a name and a
// picture that are the same for all users.
type Profile struct {
	NickName  string `json:"nickName"`
	Gender    int    `json:"gender"` // 0 unknown, 1 male, 2 female
	Language  string `json:"language"`
	City      string `json:"city"`
	Province  string `json:"province"`
	Country   string `json:"country"`
	AvatarURL string `json:"avatarUrl"`
}

// profileData is a profile as it is encrypted.
type profileData struct {
	OpenID string `json:"openId"`
	Profile
	UnionID   string             `json:"unionId,omitempty"`
	Watermark protocol.Watermark `json:"watermark"`
}

// normal sets the default name and picture.
func (p Profile) normal() Profile {
	if p.NickName == "" {
		p.NickName = "微信用户"
	}
	if p.AvatarURL == "" {
		p.AvatarURL = "https://thirdwx.qlogo.cn/mmopen/vi_32/anonymous/132"
	}
	return p
}

// phoneData is a phone number as the app's platform encrypts it.
//
// Kuaishou has two fields and no watermark. Xiaohongshu's fields are not documented: here
// they are WeChat's, without a watermark, which its page on open data does not mention.
// WeCom's are those of wx.qy.getMobile.
func (s *Sim) phoneData(key userKey, p PhoneNumber, how Sealing) any {
	app, _ := s.app(key.app) // resolved before
	switch app.Platform {
	case Kuaishou:
		return struct {
			CountryCode string `json:"countryCode"`
			PhoneNumber string `json:"phoneNumber"`
		}{p.Country, p.Number}
	case Xiaohongshu:
		return struct {
			PhoneNumber     string `json:"phoneNumber"`
			PurePhoneNumber string `json:"purePhoneNumber"`
			CountryCode     string `json:"countryCode"`
		}{p.Full(), p.Number, p.Country}
	case WeCom:
		return struct {
			Mobile    string             `json:"mobile"`
			Watermark protocol.Watermark `json:"watermark"`
		}{p.Full(), s.watermark(key, how)}
	default:
		return p.Info(s.watermark(key, how))
	}
}

// profileData is a profile as the app's platform encrypts it. WeCom's is that of
// wx.qy.getEnterpriseUserInfo.
func (s *Sim) profileData(key userKey, p Profile, unionid string, how Sealing) any {
	app, _ := s.app(key.app) // resolved before
	data := profileData{OpenID: key.openid, Profile: p, UnionID: unionid, Watermark: s.watermark(key, how)}
	switch app.Platform {
	case Kuaishou, Xiaohongshu:
		return struct {
			OpenID string `json:"openId"`
			Profile
		}{key.openid, p}
	case WeCom:
		return struct {
			CorpID    string             `json:"corpid"`
			UserID    string             `json:"userid"`
			Name      string             `json:"name"`
			Gender    int                `json:"gender"`
			Watermark protocol.Watermark `json:"watermark"`
		}{key.app, key.openid, p.NickName, p.Gender, data.Watermark}
	default:
		return data
	}
}
