package wechat

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// maxPhoneDigits is E.164's limit, country code included.
	maxPhoneDigits = 15
	// minPhoneDigits is less than any subscriber number has.
	minPhoneDigits = 4
	// maxCountryDigits is one more than any country code has: some are written
	// with the area code, as 1684 for American Samoa.
	maxCountryDigits = 4
)

// phoneFields is a phone number as WeChat writes it, in encrypted data and in the
// phone code's answer alike.
type phoneFields struct {
	PhoneNumber     string      `json:"phoneNumber"`
	PurePhoneNumber string      `json:"purePhoneNumber"`
	CountryCode     countryCode `json:"countryCode"`
}

// present reports whether there is any number at all.
func (f phoneFields) present() bool { return f.PhoneNumber != "" || f.PurePhoneNumber != "" }

// phone is the number, if its three fields tell one story. They are checked
// against each other because open data carries no signature of its own: what was
// changed in one field, block by block, has to be changed alike in another.
//
// bare says that there may be no purePhoneNumber. The number is then taken to be
// without its country code, and refused if it begins as if it had one: a number
// with the code twice would be another subscriber's.
func (f phoneFields) phone(bare bool) (auth.Phone, bool) {
	country, pure := string(f.CountryCode), f.PurePhoneNumber
	if bare && pure == "" && !strings.HasPrefix(f.PhoneNumber, country) {
		pure = f.PhoneNumber
	}
	if !digits(pure, minPhoneDigits, maxPhoneDigits) || !digits(country, 1, maxCountryDigits) ||
		len(country)+len(pure) > maxPhoneDigits {
		return auth.Phone{}, false
	}
	prefix, ok := strings.CutSuffix(f.PhoneNumber, pure)
	if !ok {
		return auth.Phone{}, false
	}
	// Foreign numbers carry their country code, with or without + and a hyphen.
	prefix = strings.TrimRight(strings.TrimPrefix(prefix, "+"), "- ")
	if prefix != "" && prefix != country {
		return auth.Phone{}, false
	}
	return auth.Phone{PhoneNumber: f.PhoneNumber, PurePhoneNumber: pure, CountryCode: country}, true
}

// plain reports whether the number is digits alone, with a leading + allowed. One
// that is written otherwise is shown to the client and not taken as verified: the
// fewer bytes are legal, the fewer forged blocks are.
func (f phoneFields) plain() bool {
	return digits(strings.TrimPrefix(f.PhoneNumber, "+"), minPhoneDigits, maxPhoneDigits)
}

func digits(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// countryCode is a string in the documentation; some have seen a number.
type countryCode string

func (c *countryCode) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '"' {
		*c = countryCode(raw) // digits decides whether it is one
		return nil
	}
	return json.Unmarshal(raw, (*string)(c))
}

// watermarkFields are pointers to tell what is missing from what is zero.
type watermarkFields struct {
	AppID     *auth.AppID `json:"appid"`
	Timestamp *int64      `json:"timestamp"`
}

func (f *watermarkFields) watermark() (auth.Watermark, bool) {
	if f == nil || f.AppID == nil || f.Timestamp == nil {
		return auth.Watermark{}, false
	}
	return auth.Watermark{AppID: *f.AppID, Timestamp: *f.Timestamp}, true
}
