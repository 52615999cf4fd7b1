// Package testphone replaces the phone numbers of WeChat's virtual accounts, which no backend
// knows, by numbers that one does.
// https://developers.weixin.qq.com/miniprogram/dev/devtools/minitest/mock_phone.html
package testphone

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
)

// virtual are the numbers of the virtual accounts that WeChat tells backends to replace.
var virtual = [...]string{"12066600001", "12066600002", "12066600003", "12066600004"}

// country is the country code of all of them, and of their replacements.
const country = "86"

// mainland is a mobile number of mainland China.
var mainland = regexp.MustCompile(`^1[0-9]{10}$`)

// Numbers has the replacement of each virtual number; "" for none.
type Numbers [len(virtual)]string

// Set adds a replacement. Only a virtual number has one: anything else would let an operator,
// or whoever writes the configuration, turn one person's number into another's.
func (n *Numbers) Set(number, replacement string) error {
	i := slices.Index(virtual[:], number)
	switch {
	case i < 0:
		return fmt.Errorf("test_phone %q: expected one of WeChat's virtual numbers, %s to %s", number, virtual[0], virtual[len(virtual)-1])
	case !mainland.MatchString(replacement):
		return fmt.Errorf("test_phone %s %q: expected a mobile number of mainland China, 11 digits", number, replacement)
	case n[i] != "":
		return fmt.Errorf("duplicate test_phone %s", number)
	}
	n[i] = replacement
	return nil
}

// Replace returns the phone number of an account, replaced if the account is virtual.
func (n *Numbers) Replace(phone auth.Phone) auth.Phone {
	i := slices.Index(virtual[:], phone.PurePhoneNumber)
	if i < 0 || n[i] == "" || phone.CountryCode != country {
		return phone
	}
	phone.PhoneNumber, phone.PurePhoneNumber, phone.Test = n[i], n[i], true
	return phone
}
