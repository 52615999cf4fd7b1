// Package phonenumber has the phone numbers of the simulator's users: in the form in which
// WeChat returns them, and of no subscriber unless a call names one.
package phonenumber

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// ErrBad means that a phone number cannot be split into country and rest.
var ErrBad = errors.New("bad phone number")

// homeCountry is the code whose numbers WeChat shows bare.
const homeCountry = "86"

// A Number is a number as a user of the mini program has bound it.
//
// The zero value is a number of the user that no subscriber has: mainland mobile
// numbers begin with 13 to 19, and Fake's with 100. For other countries use a range
// that is reserved for fiction, such as 44 7700 900000 to 900999 (Ofcom) or
// 1 202 555 0100 to 0199 (NANPA).
type Number struct {
	Number  string // digits, without the country; default: Fake
	Country string // default: 86
}

// Fake returns the number of a user who was added without one: 11 digits from
// 100 0000 0000 up, the same at every run. No mobile number begins like that.
func Fake(openid string) string {
	sum := sha256.Sum256([]byte("phone\x00" + openid))
	return fmt.Sprintf("100%08d", binary.BigEndian.Uint64(sum[:8])%100_000_000)
}

// Normal fills in the defaults and takes off a "+86" or "+<country>" in front.
func (p Number) Normal(openid string) (Number, error) {
	if p.Country == "" {
		p.Country = homeCountry
	}
	if p.Number == "" {
		p.Number = Fake(openid)
	}
	if rest, ok := strings.CutPrefix(p.Number, "+"); ok {
		if p.Number, ok = strings.CutPrefix(rest, p.Country); !ok {
			return p, fmt.Errorf("%w: %q is not of country %s, name its country", ErrBad, "+"+rest, p.Country)
		}
	}
	for _, part := range []string{p.Country, p.Number} {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return p, fmt.Errorf("%w: %q is not digits", ErrBad, part)
		}
	}
	return p, nil
}

// Full is phoneNumber as WeChat gives it: foreign numbers have the area code
// in front. The page does not say whether a plus precedes it; here it does.
func (p Number) Full() string {
	if p.Country == homeCountry {
		return p.Number
	}
	return "+" + p.Country + p.Number
}

// Info is a phone number in a response and in encrypted data.
type Info struct {
	PhoneNumber     string             `json:"phoneNumber"`
	PurePhoneNumber string             `json:"purePhoneNumber"`
	CountryCode     string             `json:"countryCode"`
	Watermark       protocol.Watermark `json:"watermark"`
}

// Info returns p with its watermark.
func (p Number) Info(mark protocol.Watermark) Info {
	return Info{PhoneNumber: p.Full(), PurePhoneNumber: p.Number, CountryCode: p.Country, Watermark: mark}
}

// VirtualAccounts are WeChat's virtual accounts (多账号调试), by the names that stand for them
// here. Their phone numbers are WeChat's, and no subscriber's.
// https://developers.weixin.qq.com/miniprogram/dev/devtools/minitest/virtual_account.html
var VirtualAccounts = []struct{ Name, Phone string }{
	{"virtual1", "12066600001"}, // 测试号猪
	{"virtual2", "12066600002"}, // 测试号狗
	{"virtual3", "12066600003"}, // 测试号熊
	{"virtual4", "12066600004"}, // 测试号猴
}
