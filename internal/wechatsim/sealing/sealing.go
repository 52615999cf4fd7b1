// Package sealing encrypts as WeChat does: what a phone gives to a page, and what WeChat pushes.
package sealing

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// pushPadding is the block that pushes are padded to, twice that of AES.
	pushPadding = 32

	// pushKeySize is the length of a decoded EncodingAESKey, an AES-256 key.
	pushKeySize = 32

	// pushSalt is how many random bytes are in front of a push.
	pushSalt = 16
)

// ErrBadAESKey means that an EncodingAESKey is not 43 characters of base64.
var ErrBadAESKey = errors.New("bad EncodingAESKey")

// ErrBadReply means that a reply to a push is not encrypted as WeChat requires.
var ErrBadReply = errors.New("bad encrypted reply")

// CBC is AES-CBC, with a key of 16 bytes AES-128, with PKCS#7 padding to blocks of 16
// (开放数据校验与解密).
// https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/signature.html
func CBC(key, iv, plain []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	sealed := pad(plain, aes.BlockSize)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	return sealed, nil
}

// Push is AES-256-CBC of 16 random bytes, the length in network order, the message and the
// receiver, padded to 32; the IV is the key's beginning. The error is [ErrBadAESKey].
func Push(encodingAESKey, receiver string, text []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(key) != pushKeySize {
		return "", ErrBadAESKey
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadAESKey, err)
	}
	plain := []byte(rand.Text()[:pushSalt])
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(text))) //nolint:gosec // texts are short
	plain = append(plain, text...)
	plain = append(plain, receiver...)
	sealed := pad(plain, pushPadding)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(sealed, sealed)
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// OpenPush is the inverse of [Push], for the reply to a push. Errors: [ErrBadAESKey], and
// [ErrBadReply] for what this key did not encrypt.
func OpenPush(encodingAESKey, sealed string) (receiver string, text []byte, err error) {
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(key) != pushKeySize {
		return "", nil, ErrBadAESKey
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrBadAESKey, err)
	}
	plain, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(plain) == 0 || len(plain)%pushPadding != 0 {
		return "", nil, fmt.Errorf("%w: not base64 of blocks of %d bytes", ErrBadReply, pushPadding)
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	n := int(plain[len(plain)-1])
	if n == 0 || n > pushPadding || !bytes.Equal(plain[len(plain)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return "", nil, fmt.Errorf("%w: wrong padding", ErrBadReply)
	}
	plain = plain[:len(plain)-n]
	if len(plain) < pushSalt+4 {
		return "", nil, fmt.Errorf("%w: too short", ErrBadReply)
	}
	size, rest := binary.BigEndian.Uint32(plain[pushSalt:]), plain[pushSalt+4:]
	if uint64(size) > uint64(len(rest)) {
		return "", nil, fmt.Errorf("%w: shorter than its length", ErrBadReply)
	}
	return string(rest[size:]), rest[:size], nil
}

// AddWatermark puts mark, a JSON value, at the end of an object that has no watermark.
func AddWatermark(data, mark []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, errors.New("adding watermark: not a JSON object, encrypt it exact")
	}
	if _, ok := members["watermark"]; ok {
		return data, nil
	}
	open := bytes.TrimSuffix(bytes.TrimSpace(data), []byte("}"))
	comma := ","
	if len(members) == 0 {
		comma = ""
	}
	return fmt.Appendf(nil, `%s%s"watermark":%s}`, open, comma, mark), nil
}

// pad returns a copy of plain with PKCS#7 padding to a multiple of size.
func pad(plain []byte, size int) []byte {
	n := size - len(plain)%size
	return append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...) //nolint:gosec // G115: n is at most 32
}
