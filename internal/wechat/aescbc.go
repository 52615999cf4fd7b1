package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// aes128Bytes is the size of a session key, in bytes.
const aes128Bytes = 16

// decryptCBC decrypts AES-CBC with PKCS#7 padding of 16, the only padding in
// data of WeChat's ("32" belongs to the message push). Every byte of the padding
// is checked. With wrong padding the whole plaintext comes back beside false, so
// that the caller does the same work as for a right one.
//
// The key is one of AES's, the IV a block, and the ciphertext a positive number
// of blocks: anything else is false without a plaintext.
func decryptCBC(key, iv, ciphertext []byte) ([]byte, bool) {
	if len(iv) != aes.BlockSize || len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	pad := int(plain[len(plain)-1])
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		inPad := subtle.ConstantTimeLessOrEq(i, pad)
		equal := subtle.ConstantTimeEq(int32(plain[len(plain)-i]), int32(pad)) //nolint:gosec // both are bytes
		good &= equal | (1 ^ inPad)                                            // beyond the padding anything goes
	}
	if good != 1 {
		return plain, false
	}
	return plain[:len(plain)-pad], true
}
