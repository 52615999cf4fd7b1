package callback

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// padBlock is the block size of the padding, twice that of AES.
	padBlock = 32
	// saltBytes are random, and precede the length of the message.
	saltBytes = 16
	// prefixBytes precede the message: the random bytes and the length.
	prefixBytes = saltBytes + 4
)

// decrypt opens an encrypted message: AES-256-CBC, with the first half of the key
// as the IV, over random bytes, the length, the message and the receiver's appid.
// The signature was checked before, so the message is WeChat's, and the errors may
// say what is wrong with it: an attacker without the token cannot use decrypt as a
// padding oracle. It returns the message and its receiver: the app, or its third-party
// platform.
func (c *Receiver) decrypt(encrypted string) (message []byte, receiver auth.AppID, err error) {
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, "", fmt.Errorf("%w: the encrypted message is not base64 of whole blocks", auth.ErrInvalidRequest)
	}
	block, err := aes.NewCipher(c.key)
	if err != nil {
		return nil, "", fmt.Errorf("%w: the EncodingAESKey is unusable", auth.ErrAppMisconfigured)
	}
	cipher.NewCBCDecrypter(block, c.key[:aes.BlockSize]).CryptBlocks(raw, raw)
	plain, ok := unpad(raw)
	if !ok || len(plain) < prefixBytes {
		return nil, "", fmt.Errorf("%w: the message was encrypted with another EncodingAESKey", auth.ErrDecryptFailed)
	}
	length := int64(binary.BigEndian.Uint32(plain[prefixBytes-4 : prefixBytes]))
	rest := plain[prefixBytes:]
	if length > int64(len(rest)) {
		return nil, "", fmt.Errorf("%w: the encrypted message is shorter than its length field", auth.ErrDecryptFailed)
	}
	receiver = auth.AppID(rest[length:])
	if receiver != c.cfg.AppID && (c.cfg.Component == "" || receiver != c.cfg.Component) {
		return nil, "", fmt.Errorf("%w: the message was encrypted for another app", auth.ErrForbidden)
	}
	return rest[:length], receiver, nil
}

// encrypt is the inverse of decrypt.
func (c *Receiver) encrypt(salt string, message []byte, receiver auth.AppID) (string, error) {
	block, err := aes.NewCipher(c.key)
	if err != nil {
		return "", fmt.Errorf("%w: the EncodingAESKey is unusable", auth.ErrAppMisconfigured)
	}
	plain := append([]byte(salt), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(plain[saltBytes:], uint32(len(message))) //nolint:gosec // G115: at most MaxBytes and some tags
	plain = append(plain, message...)
	plain = append(plain, receiver...)
	pad := padBlock - len(plain)%padBlock
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, c.key[:aes.BlockSize]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain), nil
}

// unpad removes PKCS#7 padding of 1 to 32 equal bytes.
func unpad(padded []byte) ([]byte, bool) {
	pad := int(padded[len(padded)-1])
	if pad == 0 || pad > padBlock || pad > len(padded) {
		return nil, false
	}
	for _, b := range padded[len(padded)-pad:] {
		if int(b) != pad {
			return nil, false
		}
	}
	return padded[:len(padded)-pad], true
}
