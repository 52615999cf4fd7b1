// Package testphone replaces the phone numbers of WeChat's virtual accounts, which are unknown
// to backends, with configured numbers.
package testphone

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
)

// virtual are the numbers of WeChat's virtual accounts. WeChat recommends that backends replace
// them.
var virtual = [...]string{"12066600001", "12066600002", "12066600003", "12066600004"}

// country is the country code of all of them, and of their replacements.
const country = "86"

// mainland is a mobile number of mainland China.
var mainland = regexp.MustCompile(`^1[0-9]{10}$`)

// Numbers has the replacement of each virtual number; "" for none.
type Numbers [len(virtual)]string

// Set sets the replacement of a virtual number. Any other number is refused: the configuration
// could otherwise turn one person's number into another's. Errors contain neither argument,
// since each may be a person's number.
func (n *Numbers) Set(number, replacement string) error {
	i := slices.Index(virtual[:], number)
	switch {
	case i < 0:
		return fmt.Errorf("test_phone: the first number must be one of WeChat's virtual numbers, %s to %s", virtual[0], virtual[len(virtual)-1])
	case !mainland.MatchString(replacement):
		return fmt.Errorf("test_phone %s: the second number must be a mobile number of mainland China, 11 digits", number)
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
