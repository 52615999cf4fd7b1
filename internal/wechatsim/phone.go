package wechatsim

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// ErrBadPhone means that a phone number cannot be split into country and rest.
var ErrBadPhone = errors.New("bad phone number")

// homeCountry is the code whose numbers WeChat shows bare.
const homeCountry = "86"

// A PhoneNumber is a number as a user of the mini program has bound it.
//
// The zero value is a number of the user's own that is nobody's: mainland
// mobile numbers begin with 13 to 19, and FakePhone's with 100. For foreign
// ones take a range kept for fiction, such as 44 7700 900000 to 900999 (Ofcom)
// or 1 202 555 0100 to 0199 (NANPA).
type PhoneNumber struct {
	Number  string // digits, without the country; default: FakePhone
	Country string // default: 86
}

// FakePhone is the number a user has who was given none: 11 digits from 100
// 0000 0000 up, the same at every run. No mobile subscriber's begins so.
func FakePhone(openid string) string {
	sum := sha256.Sum256([]byte("phone\x00" + openid))
	return fmt.Sprintf("100%08d", binary.BigEndian.Uint64(sum[:8])%100_000_000)
}

// normal fills in the defaults and takes off a "+86" or "+<country>" in front.
func (p PhoneNumber) normal(openid string) (PhoneNumber, error) {
	if p.Country == "" {
		p.Country = homeCountry
	}
	if p.Number == "" {
		p.Number = FakePhone(openid)
	}
	if rest, ok := strings.CutPrefix(p.Number, "+"); ok {
		if p.Number, ok = strings.CutPrefix(rest, p.Country); !ok {
			return p, fmt.Errorf("%w: %q is not of country %s, name its country", ErrBadPhone, "+"+rest, p.Country)
		}
	}
	for _, part := range []string{p.Country, p.Number} {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return p, fmt.Errorf("%w: %q is not digits", ErrBadPhone, part)
		}
	}
	return p, nil
}

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
	return p.normal(key.openid)
}

// full is phoneNumber as WeChat gives it: foreign numbers have the area code
// in front. The page does not say whether a plus stands before it; here it does.
func (p PhoneNumber) full() string {
	if p.Country == homeCountry {
		return p.Number
	}
	return "+" + p.Country + p.Number
}

// phoneInfo is a phone number as it stands in an answer and in a ciphertext.
type phoneInfo struct {
	PhoneNumber     string    `json:"phoneNumber"`
	PurePhoneNumber string    `json:"purePhoneNumber"`
	CountryCode     string    `json:"countryCode"`
	Watermark       watermark `json:"watermark"`
}

// A watermark says for which app, and when, WeChat gave out the data.
type watermark struct {
	Timestamp int64  `json:"timestamp"`
	AppID     string `json:"appid"`
}

// info is p with its watermark.
func (p PhoneNumber) info(mark watermark) phoneInfo {
	return phoneInfo{PhoneNumber: p.full(), PurePhoneNumber: p.Number, CountryCode: p.Country, Watermark: mark}
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
	if code := c.decode(&in); code != 0 {
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
		ErrCode   int       `json:"errcode"`
		ErrMsg    string    `json:"errmsg"`
		PhoneInfo phoneInfo `json:"phone_info"`
	}{0, "ok", ticket.phone.info(watermark{Timestamp: s.Now().Unix(), AppID: app})})
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
	UnionID   string    `json:"unionId,omitempty"`
	Watermark watermark `json:"watermark"`
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
		}{p.full(), p.Number, p.Country}
	case WeCom:
		return struct {
			Mobile    string    `json:"mobile"`
			Watermark watermark `json:"watermark"`
		}{p.full(), s.watermark(key, how)}
	default:
		return p.info(s.watermark(key, how))
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
			CorpID    string    `json:"corpid"`
			UserID    string    `json:"userid"`
			Name      string    `json:"name"`
			Gender    int       `json:"gender"`
			Watermark watermark `json:"watermark"`
		}{key.app, key.openid, p.NickName, p.Gender, data.Watermark}
	default:
		return data
	}
}
