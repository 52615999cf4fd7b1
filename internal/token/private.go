package token

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	phonePurpose  = "phone"
	rankedPurpose = "risk and phone"
	// maxPhoneBytes is twice what E.164 allows: some platforms add area codes.
	maxPhoneBytes = 32
)

// sealPrivate adds the data that the user must not read: the phone number, or the rank as a
// digit in place of the number's +, so that the token does not become longer. Tokens without a
// rank have the format of older versions.
func (t *Tokens) sealPrivate(c *claims, id *auth.Identity) (err error) {
	c.PhoneVerified = id.Phone != ""
	rank, ranked := id.Risk.Rank()
	switch {
	case ranked:
		c.Ranked, err = t.seal(rankedPurpose, strconv.Itoa(rank)+strings.TrimPrefix(id.Phone, "+"), id.Session)
	case id.Phone != "":
		c.Phone, err = t.seal(phonePurpose, id.Phone, id.Session)
	}
	return err
}

// openPrivate is the inverse of sealPrivate.
func (t *Tokens) openPrivate(c *claims, id *auth.Identity) error {
	switch {
	case c.Ranked != "":
		text, err := t.open(rankedPurpose, c.Ranked, c.Session)
		if err != nil || text == "" {
			return errRanked
		}
		var ok bool
		if id.Risk, ok = auth.RiskOf(int(text[0]) - '0'); !ok {
			return errRanked
		}
		if len(text) > 1 {
			id.Phone = "+" + text[1:]
		}
		if c.PhoneVerified != (id.Phone != "") || c.PhoneVerified && !validPhone(id.Phone) {
			return errRanked
		}
	case c.Phone != "":
		phone, err := t.open(phonePurpose, c.Phone, c.Session)
		if err != nil || !validPhone(phone) {
			return errPhone
		}
		id.Phone = phone
	}
	return nil
}

// seal seals a text for one session. Otherwise a client could put another user's sealed number
// or rank into a token.
func (t *Tokens) seal(purpose, text string, session auth.SessionID) (string, error) {
	sealed, err := t.box.Seal(purpose, []byte(text), []byte(session))
	if err != nil {
		return "", fmt.Errorf("sealing %s: %w", purpose, err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (t *Tokens) open(purpose, claim string, session auth.SessionID) (string, error) {
	sealed, err := strictBase64.DecodeString(claim)
	if err != nil {
		return "", err
	}
	text, err := t.box.Open(purpose, sealed, []byte(session))
	return string(text), err
}

// validPhone accepts + and digits, which are safe in a header.
func validPhone(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	return plus && digits != "" && len(s) <= maxPhoneBytes && strings.Trim(digits, "0123456789") == ""
}
