package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// pushBlock is the padding's block, twice that of AES.
	pushBlock = 32
	// pushPrefix is what stands before a message: 16 random bytes and the length.
	pushPrefix = 16 + 4
)

// decrypt opens an encrypted message: AES-256-CBC, the IV being the key's first
// half, over random bytes, the length, the message and the receiver's appid. Its
// signature was checked, so it is WeChat's, and its errors may tell what is wrong
// with it: nobody else can ask.
func (c *Callback) decrypt(encrypted string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: the encrypted message is no base64 of blocks", auth.ErrInvalidRequest)
	}
	block, err := aes.NewCipher(c.key)
	if err != nil {
		return nil, fmt.Errorf("%w: the EncodingAESKey is unusable", auth.ErrAppMisconfigured)
	}
	cipher.NewCBCDecrypter(block, c.key[:aes.BlockSize]).CryptBlocks(raw, raw)
	plain, ok := unpad(raw)
	if !ok || len(plain) < pushPrefix {
		return nil, fmt.Errorf("%w: the message was encrypted with another EncodingAESKey", auth.ErrDecryptFailed)
	}
	length := int64(binary.BigEndian.Uint32(plain[pushPrefix-4 : pushPrefix]))
	rest := plain[pushPrefix:]
	if length > int64(len(rest)) {
		return nil, fmt.Errorf("%w: the encrypted message is shorter than it says", auth.ErrDecryptFailed)
	}
	receiver := auth.AppID(rest[length:])
	if receiver != c.cfg.AppID && (c.cfg.Component == "" || receiver != c.cfg.Component) {
		return nil, fmt.Errorf("%w: the message was encrypted for another app", auth.ErrForbidden)
	}
	return rest[:length], nil
}

// unpad takes PKCS#7 padding of 1 to 32 equal bytes off.
func unpad(padded []byte) ([]byte, bool) {
	pad := int(padded[len(padded)-1])
	if pad == 0 || pad > pushBlock || pad > len(padded) {
		return nil, false
	}
	for _, b := range padded[len(padded)-pad:] {
		if int(b) != pad {
			return nil, false
		}
	}
	return padded[:len(padded)-pad], true
}
