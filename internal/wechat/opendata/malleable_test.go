package opendata_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// paddingLooksRight decrypts without the code under test.
func paddingLooksRight(t *testing.T, key, ciphertext []byte) bool {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	pad := int(plain[len(plain)-1])
	return pad >= 1 && pad <= 16 && bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(pad)}, pad))
}

// The last bytes of a plaintext are the padding, and each must be the number of padding bytes.
// Padding of 17 to 32 bytes belongs to another scheme.
func TestOpenRefusesWrongPadding(t *testing.T) {
	t.Parallel()
	text := `{` + mark + `}`
	for name, padding := range map[string][]byte{
		"zero":            make([]byte, 16),
		"17":              bytes.Repeat([]byte{17}, 17),
		"32":              bytes.Repeat([]byte{32}, 32),
		"255":             bytes.Repeat([]byte{255}, 16),
		"last byte alone": append(make([]byte, 15), 16),
		"first byte off":  append([]byte{1}, bytes.Repeat([]byte{16}, 15)...),
		"middle byte off": {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 4},
		"ANSI X9.23":      append(make([]byte, 7), 8),
		"ISO 7816":        append([]byte{0x80}, make([]byte, 15)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Spaces before the padding keep the JSON valid: only the padding is wrong.
			total := (len(text) + len(padding) + 15) / 16 * 16
			plain := append([]byte(text), bytes.Repeat([]byte(" "), total-len(text)-len(padding))...)
			data := base64.StdEncoding.EncodeToString(cbc(t, key, iv, append(plain, padding...)))
			_, err := opener().Open(keys(key64), auth.OpenData{EncryptedData: data, IV: iv64})
			wantErr(t, err, auth.ErrDecryptFailed)
		})
	}
}

func TestOpenWrongIV(t *testing.T) {
	t.Parallel()
	data := sample()
	data.IV = iv64
	_, err := opener().Open(keys(sampleKey), data)
	wantErr(t, err, auth.ErrDecryptFailed)
}

// Flipping bits of the IV flips the same bits of the first block, and does not affect the
// padding. Phone data begins with {"phoneNumber":" there. If any bit of it is flipped, the data
// must not be accepted as a phone number.
func TestOpenRefusesAFlippedIV(t *testing.T) {
	t.Parallel()
	client := opener()
	whole := sealed(t, `{"phoneNumber":"10058006666","purePhoneNumber":"10058006666","countryCode":"86",`+mark+`}`)
	opened, err := client.Open(keys(key64), whole)
	wantErr(t, err, nil)
	if opened.Phone == nil {
		t.Fatal("the test's data is not a phone number")
	}
	for bit := range 128 {
		turned := bytes.Clone(iv)
		turned[bit/8] ^= 1 << (bit % 8)
		data := whole
		data.IV = base64.StdEncoding.EncodeToString(turned)
		_, err := client.Open(keys(key64), data)
		wantErr(t, err, auth.ErrDecryptFailed)
	}
}

// Flipping a bit in one block of the ciphertext garbles that block of the plaintext and flips
// the bit in the next block. With the garbled block inside a nickname and the flipped bit where
// the attacker wants it, a lenient decoder would read a valid profile.
func TestOpenRefusesAGarbledNickname(t *testing.T) {
	t.Parallel()
	client := opener()
	// Blocks of 16: the nickname fills the second and the third.
	plain := `{"nickName":"aaa` + strings.Repeat("b", 32) + `","gender":1,` + mark + `}`
	whole := sealed(t, plain)
	_, err := client.Open(keys(key64), whole)
	wantErr(t, err, nil)
	raw, err := base64.StdEncoding.DecodeString(whole.EncryptedData)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 128 {
		changed := bytes.Clone(raw)
		changed[32+bit/8] ^= 1 << (bit % 8)
		data := whole
		data.EncryptedData = base64.StdEncoding.EncodeToString(changed)
		_, err := client.Open(keys(key64), data)
		wantErr(t, err, auth.ErrDecryptFailed)
	}
}

// A wrong key passes the padding check once in 256 times. This test finds such a key; the
// content must then be refused.
func TestOpenLuckyPadding(t *testing.T) {
	t.Parallel()
	data := sealed(t, `{`+mark+`}`)
	raw, err := base64.StdEncoding.DecodeString(data.EncryptedData)
	if err != nil {
		t.Fatal(err)
	}
	lucky := 0
	wrong := bytes.Clone(key)
	for i := range 4096 {
		wrong[0], wrong[1] = byte(i), byte(i>>8)
		if bytes.Equal(wrong, key) || !paddingLooksRight(t, wrong, raw) {
			continue
		}
		lucky++
		_, err := opener().Open(keys(base64.StdEncoding.EncodeToString(wrong)), data)
		wantErr(t, err, auth.ErrDecryptFailed)
	}
	if lucky == 0 {
		t.Fatal("no wrong key had valid padding: the test checks nothing")
	}
}
