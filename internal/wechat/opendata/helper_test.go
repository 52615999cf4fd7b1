package opendata_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"testing"
)

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (want == nil) != (got == nil) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// seal encrypts like WeChat, independently of the code under test.
func seal(t testing.TB, key, iv, plain []byte) string {
	t.Helper()
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	return base64.StdEncoding.EncodeToString(cbc(t, key, iv, append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)))
}

func cbc(t testing.TB, key, iv, padded []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(padded))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, padded)
	return out
}
