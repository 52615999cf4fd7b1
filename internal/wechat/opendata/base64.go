package opendata

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
)

// sessionKeyBytes is the size of WeChat's session key: AES-128.
const sessionKeyBytes = 16

// decodeBase64 decodes base64 as mini programs send it: standard or URL-safe, padded or not,
// with line breaks, and with spaces instead of plus signs, which form encoding causes. Anything
// else, including unused bits that are not zero, is an [auth.ErrInvalidRequest] that names the
// field.
func decodeBase64(field, s string) ([]byte, error) {
	plain := spelling.Replace(s)
	body := strings.TrimRight(plain, "=")
	if pad := len(plain) - len(body); pad != 0 && (pad > 2 || len(plain)%4 != 0) {
		return nil, fmt.Errorf("%w: %s has wrong base64 padding", auth.ErrInvalidRequest, field)
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not valid base64", auth.ErrInvalidRequest, field)
	}
	return raw, nil
}

// Hash returns the hash by which WeChat identifies data that it encrypted: the SHA-256 of the
// base64 text in WeChat's spelling, in hexadecimal. It returns [auth.ErrInvalidRequest] for
// text that is not base64.
func Hash(data auth.OpenData) (string, error) {
	raw, err := decodeBase64("encrypted_data", data.EncryptedData)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(base64.StdEncoding.EncodeToString(raw)))
	return hex.EncodeToString(sum[:]), nil
}

// ParseSessionKey parses a session key in any spelling that [Opener.Open] accepts for
// base64, and returns it as WeChat spells it. It returns false for any other text.
func ParseSessionKey(text string) (string, bool) {
	if len(text) > maxIVBytes {
		return "", false
	}
	raw, err := decodeBase64("session_key", text)
	if err != nil || len(raw) != sessionKeyBytes {
		return "", false
	}
	return base64.StdEncoding.EncodeToString(raw), true
}

var spelling = strings.NewReplacer("-", "+", " ", "+", "_", "/", "\r", "", "\n", "", "\t", "")
