package opendata

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// decryptCBC decrypts AES-CBC with PKCS#7 padding of up to 16 bytes, the only padding
// in open data ("32" belongs to the message push). It checks every byte of the
// padding. If the padding is wrong, it returns the whole plaintext and false, so that
// the caller does the same work as for correct padding.
//
// The key must have a size of AES, the IV must be one block, and the ciphertext one or more
// whole blocks. Otherwise decryptCBC returns false without a plaintext.
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
		good &= equal | (1 ^ inPad)                                            // bytes before the padding may have any value
	}
	if good != 1 {
		return plain, false
	}
	return plain[:len(plain)-pad], true
}
