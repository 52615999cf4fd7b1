package wechat

import (
	"crypto/aes"
	"crypto/sha1" //nolint:gosec // WeChat's choice for the signature of raw data
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// maxOpenDataBytes caps encryptedData and rawData as they arrive. A month of
	// werun steps, the longest there is, is under 3 KiB.
	maxOpenDataBytes = 8 << 10
	// maxIVBytes caps an IV as it arrives, and a session key, which is as long: 24
	// characters and some line breaks.
	maxIVBytes = 64
	// clockSkew is how far WeChat's clock may be ahead of ours.
	clockSkew = 5 * time.Minute
)

// Open implements [auth.Platform].
//
// AES-CBC has no MAC, so no check here proves that WeChat wrote the data. Padding,
// strict JSON, the watermark and fields that agree with each other only make a
// random ciphertext fail: one attempt in some 400,000 on a chosen block succeeds
// on WeChat's data, and each success tells the client how one more block decrypts.
// Some millions of attempts forge any phone number. What stops this is that the
// caller counts attempts and allows few: see [auth.Attempts]. All failures return
// the same error, so that padding alone is no faster oracle.
func (c *Client) Open(keys []auth.SessionKey, data auth.OpenData) (auth.Opened, error) {
	sealed, err := parseOpenData(data)
	if err != nil {
		return auth.Opened{}, err
	}
	for _, key := range keys {
		plain, fields, ok := c.open(sealed, key.Key)
		if !ok {
			continue
		}
		if !sealed.signedWith(key.Key) {
			return auth.Opened{}, fmt.Errorf("%w: the signature of the raw data is wrong", auth.ErrDecryptFailed)
		}
		if err := c.checkWatermark(fields.Watermark); err != nil {
			return auth.Opened{}, err
		}
		return c.opened(fields, plain), nil
	}
	return auth.Opened{}, fmt.Errorf("%w: none of %d keys opens the data", auth.ErrDecryptFailed, len(keys))
}

// checkWatermark refuses data that was made for another app, or too long ago: a
// recording of it would open for as long as the key lives. readFields has seen to
// it that only data of a bare dialect comes without a mark; there the key alone
// says whose it is, and nothing says when it was made.
func (c *Client) checkWatermark(found *watermarkFields) error {
	mark, ok := found.watermark()
	if !ok {
		return nil
	}
	if mark.AppID != c.cfg.MiniProgram {
		return fmt.Errorf("%w: made for app %q", auth.ErrWatermarkMismatch, mark.AppID)
	}
	if c.cfg.Watermark == 0 {
		return nil
	}
	age := c.cfg.Now().Sub(time.Unix(mark.Timestamp, 0))
	if age > c.cfg.Watermark || age < -clockSkew {
		return fmt.Errorf("%w: data is %v old (limit %v)", auth.ErrWatermarkStale, age, c.cfg.Watermark)
	}
	return nil
}

// sealedData is open data whose form is right.
type sealedData struct {
	ciphertext, iv []byte
	rawData        string
	signature      []byte // nil when the client sent none
}

func parseOpenData(data auth.OpenData) (*sealedData, error) {
	if len(data.EncryptedData) > maxOpenDataBytes || len(data.RawData) > maxOpenDataBytes || len(data.IV) > maxIVBytes {
		return nil, fmt.Errorf("%w: open data over %d bytes", auth.ErrInvalidRequest, maxOpenDataBytes)
	}
	ciphertext, err := decodeBase64("encryptedData", data.EncryptedData)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: encryptedData of %d bytes is not in blocks", auth.ErrInvalidRequest, len(ciphertext))
	}
	iv, err := decodeBase64("iv", data.IV)
	if err != nil {
		return nil, err
	}
	if len(iv) != aes.BlockSize {
		return nil, fmt.Errorf("%w: iv of %d bytes", auth.ErrInvalidRequest, len(iv))
	}
	sealed := &sealedData{ciphertext: ciphertext, iv: iv, rawData: data.RawData}
	if data.Signature == "" {
		return sealed, nil
	}
	if sealed.signature, err = hex.DecodeString(data.Signature); err != nil || len(sealed.signature) != sha1.Size {
		return nil, fmt.Errorf("%w: signature is not the hex of a SHA-1", auth.ErrInvalidRequest)
	}
	return sealed, nil
}

// open decrypts with one key and reads what came out. It does so even when the
// padding is wrong, so that time does not tell what Open's error does not.
func (c *Client) open(s *sealedData, key string) ([]byte, *openFields, bool) {
	raw, err := decodeBase64("session_key", key)
	if err != nil || !slices.Contains(c.dialect.keys, len(raw)) {
		return nil, nil, false
	}
	plain, padded := decryptCBC(raw, s.iv, s.ciphertext)
	fields, readable := c.readFields(plain)
	return plain, fields, padded && readable
}

// signedWith checks hex(sha1(rawData + session_key)), the key as a string.
func (s *sealedData) signedWith(key string) bool {
	if s.signature == nil {
		return true
	}
	sum := sha1.Sum([]byte(s.rawData + key)) //nolint:gosec // WeChat's choice
	return subtle.ConstantTimeCompare(sum[:], s.signature) == 1
}

// openFields is what we understand of opened data; there may be more: a profile,
// werun steps, a group.
type openFields struct {
	phoneFields
	OpenID    auth.OpenID      `json:"openId"`
	Watermark *watermarkFields `json:"watermark"`

	Unknown map[string]jsontext.Value `json:",embed"`

	number *auth.Phone // nil when there is none
}

// readFields rejects what a wrong key with valid padding (one in 256) or a changed
// ciphertext decrypts to. The decoder must be strict: encoding/json replaces bytes
// that are not UTF-8, so that any garbled block would be a legal string, and lets
// the last of two members with the same name win. Both would make the attack that
// [Client.Open] describes many times cheaper.
func (c *Client) readFields(plain []byte) (*openFields, bool) {
	fields := new(openFields)
	if err := json.Unmarshal(plain, fields); err != nil {
		return nil, false
	}
	if c.dialect.owner != nil {
		var ok bool
		if fields.OpenID, ok = c.dialect.owner(&c.cfg, plain); !ok {
			return nil, false
		}
	}
	if fields.OpenID != "" && !auth.ValidID(fields.OpenID) {
		return nil, false
	}
	if fields.present() {
		number, ok := fields.phone(c.dialect.bare)
		if !ok {
			return nil, false
		}
		fields.number = &number
	}
	return fields, fields.marked(c.dialect.bare)
}

// marked reports whether data has the watermark that it must have. Data that may
// come without one must be of a known kind: a user's name, or a number with its
// country code. That is no proof: see [Client.Open]. A number without a watermark
// is therefore not verified unless the operator says so.
func (f *openFields) marked(bare bool) bool {
	_, ok := f.Watermark.watermark()
	return ok || bare && f.Watermark == nil && (f.number != nil || f.OpenID != "")
}

// opened converts fields that readFields accepted.
func (c *Client) opened(f *openFields, plain []byte) auth.Opened {
	opened := auth.Opened{JSON: plain, OpenID: f.OpenID}
	if f.number != nil {
		opened.Phone = f.number
		opened.Phone.Watermark, _ = f.Watermark.watermark()
		opened.Unverified = !c.verifies(f.phoneFields)
		opened.Unknown = len(f.Unknown)
	}
	return opened
}

// verifies reports whether an encrypted phone number counts as verified.
func (c *Client) verifies(f phoneFields) bool {
	return !c.cfg.UnverifiedPhone && (!c.dialect.bare || c.cfg.TrustUnmarked) && f.plain()
}
