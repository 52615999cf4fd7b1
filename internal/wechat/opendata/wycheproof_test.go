package opendata

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// vectorsFile is in $WYCHEPROOF_DIR or, by default, next to the project.
const vectorsFile = "aes_cbc_pkcs5_test.json"

func wycheproofDir() string {
	if dir := os.Getenv("WYCHEPROOF_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "..", "shared", "wycheproof")
}

type vector struct {
	ID      int `json:"tcId"`
	Comment string
	Key     string
	IV      string
	Msg     string
	CT      string
	Result  string
}

type vectors struct {
	NumberOfTests int
	TestGroups    []struct {
		Tests []vector
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(wycheproofDir(), vectorsFile))
	if errors.Is(err, os.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skipf("NOT RUN: no Wycheproof vectors in %s; set WYCHEPROOF_DIR", wycheproofDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// The Wycheproof vectors are passed to the function that decrypts the data of every request.
// All platforms except Xiaohongshu use keys of 128 bits.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	all := readVectors(t)
	ran, valid, invalid := 0, 0, 0
	for _, group := range all.TestGroups {
		for _, v := range group.Tests {
			ran++
			key, iv, ciphertext, msg := unhex(t, v.Key), unhex(t, v.IV), unhex(t, v.CT), unhex(t, v.Msg)
			plain, ok := decryptCBC(key, iv, ciphertext)
			switch v.Result {
			case "valid":
				valid++
				if !ok || string(plain) != string(msg) {
					t.Errorf("%d (%s): got %x, %v, want %x", v.ID, v.Comment, plain, ok, msg)
				}
			default:
				invalid++
				if ok {
					t.Errorf("%d (%s): accepted", v.ID, v.Comment)
				}
			}
		}
	}
	if ran != all.NumberOfTests || valid == 0 || invalid == 0 {
		t.Fatalf("%d of %d vectors ran; %d valid, %d invalid", ran, all.NumberOfTests, valid, invalid)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
