package wechat

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// decodeBase64 reads base64 as it arrives from mini programs: standard or
// URL-safe, padded or not, in lines, and with the spaces that a form makes of
// plus signs. Anything else, unused bits that are not zero included, is an
// [auth.ErrInvalidRequest] that names the field.
func decodeBase64(field, s string) ([]byte, error) {
	plain := spelling.Replace(s)
	body := strings.TrimRight(plain, "=")
	if pad := len(plain) - len(body); pad != 0 && (pad > 2 || len(plain)%4 != 0) {
		return nil, fmt.Errorf("%w: %s is padded wrongly", auth.ErrInvalidRequest, field)
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no base64", auth.ErrInvalidRequest, field)
	}
	return raw, nil
}

// ParseSessionKey reads a session key as a client may spell it, and returns it as
// WeChat does; false for anything else.
func ParseSessionKey(text string) (string, bool) {
	if len(text) > maxIVBytes {
		return "", false
	}
	raw, err := decodeBase64("session_key", text)
	if err != nil || len(raw) != aes128Bytes {
		return "", false
	}
	return base64.StdEncoding.EncodeToString(raw), true
}

var spelling = strings.NewReplacer("-", "+", " ", "+", "_", "/", "\r", "", "\n", "", "\t", "")
