package opendata

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// maxPhoneDigits is E.164's limit, country code included.
	maxPhoneDigits = 15
	// minPhoneDigits is less than the digits of any subscriber number.
	minPhoneDigits = 4
	// maxCountryDigits is one more than the digits of any country code: some include
	// the area code, such as 1684 for American Samoa.
	maxCountryDigits = 4
)

// PhoneInfo is a phone number with its watermark, as WeChat returns it for a phone
// code.
type PhoneInfo struct {
	phoneFields
	Watermark *watermarkFields `json:"watermark"`
}

// Phone returns the number with its watermark. If one of them is missing or invalid,
// it returns false and the name of that field.
func (i PhoneInfo) Phone() (phone auth.Phone, missing string, ok bool) {
	if phone, ok = i.phone(false); !ok {
		return auth.Phone{}, "phone_info", false
	}
	if phone.Watermark, ok = i.Watermark.watermark(); !ok {
		return auth.Phone{}, "watermark", false
	}
	return phone, "", true
}

// phoneFields is a phone number as WeChat writes it, both in encrypted data and in
// the response to a phone code.
type phoneFields struct {
	PhoneNumber     string      `json:"phoneNumber"`
	PurePhoneNumber string      `json:"purePhoneNumber"`
	CountryCode     countryCode `json:"countryCode"`
}

// present reports whether there is a number, valid or not.
func (f phoneFields) present() bool { return f.PhoneNumber != "" || f.PurePhoneNumber != "" }

// phone returns the number if its three fields agree. They are compared because open
// data has no signature: an attacker who changes blocks of one field must make the
// same change in another.
//
// If bare is set, purePhoneNumber may be missing. phoneNumber then has no country code. It is
// refused if it begins with the digits of the country code, since a number with a duplicate
// country code would belong to another subscriber.
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
	// Foreign numbers include their country code, with or without + and a hyphen.
	prefix = strings.TrimRight(strings.TrimPrefix(prefix, "+"), "- ")
	if prefix != "" && prefix != country {
		return auth.Phone{}, false
	}
	return auth.Phone{PhoneNumber: f.PhoneNumber, PurePhoneNumber: pure, CountryCode: country}, true
}

// plain reports whether the number has only digits, after an optional +. A number with other
// characters is returned to the client but does not verify the session: with fewer valid bytes,
// fewer forged blocks are valid.
func (f phoneFields) plain() bool {
	return digits(strings.TrimPrefix(f.PhoneNumber, "+"), minPhoneDigits, maxPhoneDigits)
}

func digits(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// countryCode is a string in the documentation; a number was seen too.
type countryCode string

func (c *countryCode) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '"' {
		*c = countryCode(raw) // checked by digits
		return nil
	}
	return json.Unmarshal(raw, (*string)(c))
}

// watermarkFields are pointers, since a missing field differs from a zero one.
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
