package opendata_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// openSeed is one input of FuzzOpen, from testdata/*.json.
type openSeed struct {
	Keys          []string `json:"session_keys"`
	EncryptedData string   `json:"encrypted_data"`
	IV            string   `json:"iv"`
	RawData       string   `json:"raw_data"`
	Signature     string   `json:"signature"`
	Class         string   `json:"class"` // the sentinel's text; empty if the data opens
}

// seeds fails if there are none: a fuzz target without seeds tests little.
func seeds(t testing.TB) map[string]openSeed {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("no seeds in testdata")
	}
	all := map[string]openSeed{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var seed openSeed
		if err := json.Unmarshal(raw, &seed); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[filepath.Base(path)] = seed
	}
	return all
}

func (s openSeed) data() auth.OpenData {
	return auth.OpenData{EncryptedData: s.EncryptedData, IV: s.IV, RawData: s.RawData, Signature: s.Signature}
}

// The seeds reach every result of Open, so that the fuzzer starts from each.
func TestSeeds(t *testing.T) {
	t.Parallel()
	client := aged(time.Hour)
	reached := map[string]bool{}
	for name, seed := range seeds(t) {
		_, err := client.Open(keys(seed.Keys...), seed.data())
		if got := openClass(t, err); got != seed.Class {
			t.Errorf("%s: got %v, want %q", name, err, seed.Class)
		}
		reached[seed.Class] = true
	}
	for _, class := range append(openClasses, nil) {
		if !reached[text(class)] {
			t.Errorf("no seed for %q", text(class))
		}
	}
}

// FuzzOpen: for any input, Open does not panic, and returns data or one of its four
// errors.
func FuzzOpen(f *testing.F) {
	for _, seed := range seeds(f) {
		key := ""
		if len(seed.Keys) > 0 {
			key = seed.Keys[0]
		}
		f.Add(key, seed.EncryptedData, seed.IV, seed.RawData, seed.Signature)
	}
	client := aged(time.Hour)
	f.Fuzz(func(t *testing.T, key, encrypted, iv, raw, signature string) {
		opened, err := client.Open(keys(key, sampleKey), auth.OpenData{
			EncryptedData: encrypted, IV: iv, RawData: raw, Signature: signature,
		})
		openClass(t, err)
		if err == nil && !json.Valid(opened.JSON) {
			t.Fatalf("opened data that is not JSON: %q", opened.JSON)
		}
		if err != nil && (opened.JSON != nil || opened.Phone != nil || opened.OpenID != "") {
			t.Fatalf("data and an error: %+v", opened)
		}
	})
}

var openClasses = []error{
	auth.ErrInvalidRequest, auth.ErrDecryptFailed, auth.ErrWatermarkMismatch, auth.ErrWatermarkStale,
}

func openClass(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	for _, class := range openClasses {
		if errors.Is(err, class) {
			return class.Error()
		}
	}
	t.Fatalf("an error that Open does not document: %v", err)
	return ""
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
