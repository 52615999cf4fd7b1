package opendata_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
)

// bareOpener returns an opener for an app whose platform adds no watermark.
func bareOpener() *opendata.Opener {
	return &opendata.Opener{App: "wx0123456789abcdef", KeyBytes: []int{16}, Bare: true, Now: time.Now}
}

// FuzzUnmarkedData: if no watermark is required, data that decrypts has a number whose fields
// agree, an openid, or the app's watermark.
func FuzzUnmarkedData(f *testing.F) {
	for _, plain := range []string{
		`{"countryCode":"86","phoneNumber":"10012345678"}`, `{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"}`,
		`{"countryCode":"86","phoneNumber":"8610012345678"}`, `{"countryCode":86,"phoneNumber":"+8610012345678","purePhoneNumber":"10012345678"}`,
		`{"openId":"o1","nickName":"x"}`, `{"openId":"o1","watermark":{"appid":"wx0123456789abcdef","timestamp":1}}`, `{"openId":"o1","watermark":{"appid":"wx9","timestamp":1}}`,
		`{"steps":1}`, `{}`, `[]`, `null`, ``, `{"countryCode":"","phoneNumber":""}`, `{"phoneNumber":"1"}`,
	} {
		f.Add(plain)
	}
	opener := bareOpener()
	iv := make([]byte, 16)
	encode := base64.StdEncoding.EncodeToString
	f.Fuzz(func(t *testing.T, plain string) {
		opened, err := opener.Open(keys(key64), auth.OpenData{EncryptedData: seal(t, key, iv, []byte(plain)), IV: encode(iv)})
		if err != nil {
			openClass(t, err)
			return
		}
		var members map[string]any
		if err := json.Unmarshal(opened.JSON, &members); err != nil {
			t.Fatalf("%q opened as %q", plain, opened.JSON)
		}
		switch {
		case string(opened.JSON) != plain:
			t.Errorf("%q opened as %q", plain, opened.JSON)
		case opened.OpenID != "" && !auth.ValidID(opened.OpenID):
			t.Errorf("%q has the openid %q", plain, opened.OpenID)
		case opened.Phone == nil && opened.OpenID == "" && members["watermark"] == nil:
			t.Errorf("%q belongs to no user", plain)
		case opened.Phone != nil && strings.Trim(opened.Phone.E164(), "0123456789") != "+":
			t.Errorf("%q has the number %q", plain, opened.Phone.E164())
		}
	})
}

// TestBareDataIsNotMalleable: for a number without a watermark, only its format shows that the
// platform made it. With the IV an attacker can change any bits of the first block, but that
// block has only a member's name and its quotes, no digit. Changing a digit in a later block
// garbles the block before it. Data without its first blocks does not decrypt either.
func TestBareDataIsNotMalleable(t *testing.T) {
	t.Parallel()
	opener := bareOpener()
	encode := base64.StdEncoding.EncodeToString
	for _, plain := range []string{
		`{"countryCode":"86","phoneNumber":"10012345678"}`, `{"phoneNumber":"10012345678","countryCode":"86"}`,
		`{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86"}`,
	} {
		sealed, err := base64.StdEncoding.DecodeString(seal(t, key, iv, []byte(plain)))
		if err != nil {
			t.Fatal(err)
		}
		whole := append(bytes.Clone(iv), sealed...)
		opened := 0
		try := func(what string, changed []byte) {
			got, err := opener.Open(keys(key64), auth.OpenData{IV: encode(changed[:16]), EncryptedData: encode(changed[16:])})
			if err != nil {
				return
			}
			opened++
			if got.Phone == nil || got.Phone.E164() != "+8610012345678" {
				t.Errorf("%s: %s decrypts to %s", plain, what, got.JSON)
			}
		}
		try("itself", whole)
		for i := range whole {
			// Change any digit to any other, and flip each higher bit.
			for _, turn := range []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32, 64, 128} {
				changed := bytes.Clone(whole)
				changed[i] ^= turn
				try(fmt.Sprintf("byte %d XOR %#x", i, turn), changed)
			}
		}
		for from := 16; from < len(sealed); from += 16 {
			try(fmt.Sprintf("without the first %d bytes", from), whole[from:])
		}
		if opened == 0 {
			t.Errorf("%s does not decrypt even unchanged", plain)
		}
	}
}
