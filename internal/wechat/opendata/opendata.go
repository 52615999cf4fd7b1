package opendata

import (
	"bytes"
	"crypto/aes"
	"crypto/sha1" //nolint:gosec // WeChat signs raw data with SHA-1
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
	// maxDataBytes bounds encryptedData and rawData as received. The longest, a month
	// of WeRun steps, is under 3 KiB.
	maxDataBytes = 8 << 10
	// maxIVBytes bounds an IV as received, and a session key, which has the same
	// length: 24 characters and some line breaks.
	maxIVBytes = 64
	// clockSkew is how far WeChat's clock may be ahead of ours.
	clockSkew = 5 * time.Minute
)

// Opener opens the data of one mini program's users. It is safe for concurrent use.
type Opener struct {
	// App is the appid that the watermark must have.
	App auth.AppID
	// MaxAge is how old the watermark may be; 0 for any age.
	MaxAge time.Duration
	// KeyBytes are the valid sizes of a session key.
	KeyBytes []int
	// Bare accepts data without a watermark, and a phone number without its
	// purePhoneNumber.
	Bare bool
	// Owner, if set, reads the user's openid from the data; by default it is the
	// member openId. It returns false if the data must be refused.
	Owner func(plain []byte) (auth.OpenID, bool)
	// Verifies reports whether a phone number in the data verifies the session.
	Verifies bool
	// Now is the clock that MaxAge is measured with.
	Now func() time.Time
}

// Open decrypts data with the first of the keys that can decrypt it.
//
// AES-CBC has no MAC, so no check here proves that WeChat wrote the data. Padding,
// strict JSON, the watermark and fields that must agree only make a random ciphertext
// fail: about one attempt in 400,000 on a chosen block succeeds on WeChat's data, and
// each success shows the client how one more block decrypts. Some millions of attempts
// forge any phone number. To stop this attack, the caller counts attempts and allows
// few: see [auth.Attempts]. All failures return the same error, so that the padding
// alone is not a faster oracle.
func (o *Opener) Open(keys []auth.SessionKey, data auth.OpenData) (auth.Opened, error) {
	sealed, err := parseOpenData(data)
	if err != nil {
		return auth.Opened{}, err
	}
	for _, key := range keys {
		plain, fields, ok := o.open(sealed, key.Key)
		if !ok {
			continue
		}
		if !sealed.signedWith(key.Key) {
			return auth.Opened{}, fmt.Errorf("%w: the signature of the raw data is wrong", auth.ErrDecryptFailed)
		}
		if err := o.checkWatermark(fields.Watermark); err != nil {
			return auth.Opened{}, err
		}
		return o.opened(fields, plain), nil
	}
	return auth.Opened{}, fmt.Errorf("%w: none of %d keys decrypts the data", auth.ErrDecryptFailed, len(keys))
}

// checkWatermark refuses data that was made for another app, or too long ago: without
// this, an attacker could replay recorded data for as long as the key is valid.
// readFields accepts data without a watermark only from an opener that is Bare; there
// only the key shows which app the data is for, and nothing shows its age.
func (o *Opener) checkWatermark(fields *watermarkFields) error {
	mark, ok := fields.watermark()
	if !ok {
		return nil
	}
	if mark.AppID != o.App {
		return fmt.Errorf("%w: made for app %q", auth.ErrWatermarkMismatch, mark.AppID)
	}
	if o.MaxAge == 0 {
		return nil
	}
	age := o.Now().Sub(time.Unix(mark.Timestamp, 0))
	if age > o.MaxAge || age < -clockSkew {
		return fmt.Errorf("%w: data is %v old (limit %v)", auth.ErrWatermarkStale, age, o.MaxAge)
	}
	return nil
}

// sealedData is decoded but still encrypted data.
type sealedData struct {
	ciphertext, iv []byte
	rawData        string
	signature      []byte // nil when the client sent none
}

func parseOpenData(data auth.OpenData) (*sealedData, error) {
	if len(data.EncryptedData) > maxDataBytes || len(data.RawData) > maxDataBytes || len(data.IV) > maxIVBytes {
		return nil, fmt.Errorf("%w: open data over %d bytes", auth.ErrInvalidRequest, maxDataBytes)
	}
	ciphertext, err := decodeBase64("encryptedData", data.EncryptedData)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: encryptedData of %d bytes is not whole blocks", auth.ErrInvalidRequest, len(ciphertext))
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

// open decrypts with one key and reads the plaintext. It reads it even if the padding is wrong,
// so that an attacker cannot measure a difference that the error does not show.
func (o *Opener) open(s *sealedData, key string) ([]byte, *openFields, bool) {
	raw, err := decodeBase64("session_key", key)
	if err != nil || !slices.Contains(o.KeyBytes, len(raw)) {
		return nil, nil, false
	}
	plain, padded := decryptCBC(raw, s.iv, s.ciphertext)
	fields, readable := o.readFields(plain)
	return plain, fields, padded && readable
}

// signedWith checks the signature hex(sha1(rawData + session_key)), with the key in base64.
func (s *sealedData) signedWith(key string) bool {
	if s.signature == nil {
		return true
	}
	sum := sha1.Sum([]byte(s.rawData + key)) //nolint:gosec // WeChat signs raw data with SHA-1
	return subtle.ConstantTimeCompare(sum[:], s.signature) == 1
}

// openFields has the fields that are checked. Data may have more: a profile, WeRun
// steps, a group.
type openFields struct {
	phoneFields
	OpenID    auth.OpenID      `json:"openId"`
	Watermark *watermarkFields `json:"watermark"`

	Unknown jsontext.Value `json:",embed"` // an object; in a profile, it has most of the members

	number *auth.Phone // nil if the data has none
}

// readFields rejects the plaintext that results from a wrong key with valid padding (one key in
// 256) or from a changed ciphertext. The decoder must be strict: encoding/json replaces bytes
// that are not UTF-8, so that any garbled block would be a valid string, and uses the last of
// two members with the same name. Both would make the attack that [Opener.Open] describes many
// times cheaper.
func (o *Opener) readFields(plain []byte) (*openFields, bool) {
	fields := new(openFields)
	if err := json.Unmarshal(plain, fields); err != nil {
		return nil, false
	}
	if o.Owner != nil {
		var ok bool
		if fields.OpenID, ok = o.Owner(plain); !ok {
			return nil, false
		}
	}
	if fields.OpenID != "" && !auth.ValidID(fields.OpenID) {
		return nil, false
	}
	if fields.present() {
		number, ok := fields.phone(o.Bare)
		if !ok {
			return nil, false
		}
		fields.number = &number
	}
	return fields, fields.marked(o.Bare)
}

// marked reports whether data has the watermark that it needs. Data that needs none must be of
// a known kind: with an openid, or a number with its country code. That is no proof: see
// [Opener.Open]. So a number without a watermark does not verify the session unless the
// operator configures it.
func (f *openFields) marked(bare bool) bool {
	_, ok := f.Watermark.watermark()
	return ok || bare && f.Watermark == nil && (f.number != nil || f.OpenID != "")
}

// opened converts fields that readFields accepted.
func (o *Opener) opened(f *openFields, plain []byte) auth.Opened {
	opened := auth.Opened{JSON: plain, OpenID: f.OpenID}
	if f.number != nil {
		opened.Phone = f.number
		opened.Phone.Watermark, _ = f.Watermark.watermark()
		opened.Unverified = !o.Verifies || !f.plain()
		opened.Unknown = countMembers(f.Unknown)
	}
	return opened
}

// countMembers counts the members of a JSON object that was read before.
func countMembers(object jsontext.Value) (n int) {
	members := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := members.ReadToken(); err != nil {
		return 0 // there is none
	}
	for members.PeekKind() == '"' {
		if _, err := members.ReadToken(); err != nil {
			return n
		}
		if err := members.SkipValue(); err != nil {
			return n
		}
		n++
	}
	return n
}
