package opendata_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
)

var (
	key   = []byte("0123456789abcdef")
	iv    = []byte("fedcba9876543210")
	key64 = base64.StdEncoding.EncodeToString(key)
	iv64  = base64.StdEncoding.EncodeToString(iv)
	// now is exactly one hour after the watermarks of the tests.
	now  = time.Unix(1477314187, 0).Add(time.Hour)
	mark = `"watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}`
)

func keys(spelled ...string) []auth.SessionKey {
	all := make([]auth.SessionKey, len(spelled))
	for i, key := range spelled {
		all[i].Key = key
	}
	return all
}

// opener returns an opener for the app of the published sample, for data of any age.
func opener() *opendata.Opener { return aged(0) }

// aged returns an opener with a maximum age.
func aged(limit time.Duration) *opendata.Opener {
	return &opendata.Opener{
		App: sampleApp, MaxAge: limit, KeyBytes: []int{16}, Verifies: true, Now: func() time.Time { return now },
	}
}

func sample() auth.OpenData { return auth.OpenData{EncryptedData: sampleData, IV: sampleIV} }

func sealed(t testing.TB, plain string) auth.OpenData {
	t.Helper()
	return auth.OpenData{EncryptedData: seal(t, key, iv, []byte(plain)), IV: iv64}
}

func TestOpenPublishedSample(t *testing.T) {
	t.Parallel()
	opened, err := opener().Open(keys(sampleKey), sample())
	wantErr(t, err, nil)
	if string(opened.JSON) != samplePlain || len(opened.JSON) != 393 {
		t.Fatalf("got %s", opened.JSON)
	}
	if opened.OpenID != "oGZUI0egBJY1zhBYw2KhdUfwVJJE" || opened.Phone != nil {
		t.Fatalf("got %+v", opened)
	}
}

func TestOpenTriesEveryKeyNewestFirst(t *testing.T) {
	t.Parallel()
	opened, err := opener().Open(keys(key64, "not base64!", "AAAA", sampleKey), sample())
	wantErr(t, err, nil)
	if string(opened.JSON) != samplePlain {
		t.Fatalf("got %s", opened.JSON)
	}
	_, err = opener().Open(keys(key64), sample())
	wantErr(t, err, auth.ErrDecryptFailed)
	_, err = opener().Open(nil, sample())
	wantErr(t, err, auth.ErrDecryptFailed)
}

func TestOpenSpellings(t *testing.T) {
	t.Parallel()
	unpadded := func(s string) string { return strings.TrimRight(s, "=") }
	wrapped := func(s string) string { return s[:10] + "\r\n\t" + s[10:] + "\n" }
	for name, spell := range map[string]func(string) string{
		"standard":       func(s string) string { return s },
		"URL-safe":       strings.NewReplacer("+", "-", "/", "_").Replace,
		"no padding":     unpadded,
		"URL-safe, none": func(s string) string { return unpadded(strings.NewReplacer("+", "-", "/", "_").Replace(s)) },
		"plus as space":  strings.NewReplacer("+", " ").Replace,
		"in lines":       wrapped,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened, err := opener().Open(keys(sampleKey), auth.OpenData{EncryptedData: spell(sampleData), IV: spell(sampleIV)})
			wantErr(t, err, nil)
			if string(opened.JSON) != samplePlain {
				t.Fatalf("got %s", opened.JSON)
			}
		})
	}
	if !strings.Contains(sampleData, "+") || !strings.Contains(sampleData, "/") {
		t.Fatal("the sample has neither + nor /: these spellings test nothing")
	}
}

func TestOpenRefusesMalformedFields(t *testing.T) {
	t.Parallel()
	whole := sealed(t, `{`+mark+`}`)
	for name, change := range map[string]func(*auth.OpenData){
		"no data":              func(d *auth.OpenData) { d.EncryptedData = "" },
		"data of line breaks":  func(d *auth.OpenData) { d.EncryptedData = "\r\n\t" },
		"data of padding":      func(d *auth.OpenData) { d.EncryptedData = "====" },
		"data not base64":      func(d *auth.OpenData) { d.EncryptedData = "ä" + d.EncryptedData[2:] },
		"data of 15 bytes":     func(d *auth.OpenData) { d.EncryptedData = base64.StdEncoding.EncodeToString(key[:15]) },
		"data of 17 bytes":     func(d *auth.OpenData) { d.EncryptedData = base64.StdEncoding.EncodeToString(append(key[:16:16], 1)) },
		"data of 5 characters": func(d *auth.OpenData) { d.EncryptedData = "AAAAA" },
		"padding in between":   func(d *auth.OpenData) { d.EncryptedData = "AA==" + d.EncryptedData },
		"padding too long":     func(d *auth.OpenData) { d.EncryptedData += "====" },
		"padding too short":    func(d *auth.OpenData) { d.IV = d.IV[:len(d.IV)-1] },
		"unused bits":          func(d *auth.OpenData) { d.IV = d.IV[:21] + "B==" },
		"data over the cap":    func(d *auth.OpenData) { d.EncryptedData = strings.Repeat("A", 8193) },
		"raw data over":        func(d *auth.OpenData) { d.RawData = strings.Repeat("A", 8193) },
		"no iv":                func(d *auth.OpenData) { d.IV = "" },
		"iv of 15 bytes":       func(d *auth.OpenData) { d.IV = base64.StdEncoding.EncodeToString(iv[:15]) },
		"iv of 17 bytes":       func(d *auth.OpenData) { d.IV = base64.StdEncoding.EncodeToString(append(iv[:16:16], 1)) },
		"iv over the cap":      func(d *auth.OpenData) { d.IV += strings.Repeat("\n", 64) },
		"signature not hex":    func(d *auth.OpenData) { d.Signature = strings.Repeat("g", 40) },
		"signature of 39":      func(d *auth.OpenData) { d.Signature = strings.Repeat("a", 39) },
		"signature of SHA-256": func(d *auth.OpenData) { d.Signature = strings.Repeat("a", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := whole
			change(&data)
			_, err := opener().Open(keys(key64), data)
			wantErr(t, err, auth.ErrInvalidRequest)
		})
	}
}

func TestOpenRefusesContent(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]string{
		"nothing":               ``,
		"not JSON":              `hello`,
		"null":                  `null`,
		"array":                 `[{` + mark + `}]`,
		"no watermark":          `{"openId":"o1"}`,
		"watermark null":        `{"watermark":null}`,
		"watermark a string":    `{"watermark":"wx4f4bc4dec97d474b"}`,
		"no appid":              `{"watermark":{"timestamp":1477314187}}`,
		"no timestamp":          `{"watermark":{"appid":"wx4f4bc4dec97d474b"}}`,
		"timestamp a string":    `{"watermark":{"timestamp":"1477314187","appid":"wx4f4bc4dec97d474b"}}`,
		"timestamp a fraction":  `{"watermark":{"timestamp":1477314187.5,"appid":"wx4f4bc4dec97d474b"}}`,
		"timestamp too large":   `{"watermark":{"timestamp":14773141870000000000000,"appid":"wx4f4bc4dec97d474b"}}`,
		"another case":          `{"Watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}`,
		"two watermarks":        `{` + mark + `,` + mark + `}`,
		"nested duplicate":      `{"a":{"b":1,"b":2},` + mark + `}`,
		"trailing data":         `{` + mark + `}{}`,
		"trailing zero bytes":   `{` + mark + "}\x00\x00",
		"invalid UTF-8":         `{"nickName":"` + "\xff" + `",` + mark + `}`,
		"invalid surrogate":     `{"nickName":"\ud800",` + mark + `}`,
		"raw control character": `{"nickName":"` + "\n" + `",` + mark + `}`,
		"openId a number":       `{"openId":1,` + mark + `}`,
		"openId with a space":   `{"openId":"o 1",` + mark + `}`,
		"openId too long":       `{"openId":"` + strings.Repeat("o", 65) + `",` + mark + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := opener().Open(keys(key64), sealed(t, plain))
			wantErr(t, err, auth.ErrDecryptFailed)
		})
	}
}

func TestOpenAnyKindOfData(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]string{
		"werun":   `{"stepInfoList":[{"timestamp":1477238400,"step":100}],` + mark + `}`,
		"group":   `{"openGId":"tGABC","msg_ticket":"x",` + mark + `}`,
		"bare":    `{` + mark + `}`,
		"spaced":  " {\n" + mark + "} ",
		"unicode": `{"nickName":"微信 ☺ \u5fae",` + mark + `}`,
		"block":   `{` + mark + `}` + strings.Repeat(" ", 16-(len(mark)+2)%16),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened, err := opener().Open(keys(key64), sealed(t, plain))
			wantErr(t, err, nil)
			if string(opened.JSON) != plain || opened.Phone != nil || opened.OpenID != "" {
				t.Fatalf("got %+v, %s", opened, opened.JSON)
			}
		})
	}
}
