package opendata_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestOpenWatermark(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		app  auth.AppID
		max  time.Duration
		made time.Duration // before now
		err  error
	}{
		"any age":           {made: 100 * 365 * 24 * time.Hour},
		"any future":        {made: -100 * 365 * 24 * time.Hour},
		"maximum age":       {max: time.Hour, made: time.Hour},
		"a second too old":  {max: time.Hour, made: time.Hour + time.Second, err: auth.ErrWatermarkStale},
		"clock ahead":       {max: time.Hour, made: -5 * time.Minute},
		"too far ahead":     {max: time.Hour, made: -5*time.Minute - time.Second, err: auth.ErrWatermarkStale},
		"another app":       {app: "wxother", err: auth.ErrWatermarkMismatch},
		"another app, aged": {app: "wxother", max: time.Hour, made: 2 * time.Hour, err: auth.ErrWatermarkMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := time.Unix(1477314187, 0)
			opener := aged(row.max)
			opener.Now = func() time.Time { return made.Add(row.made) }
			plain := mark
			if row.app != "" {
				plain = strings.Replace(mark, string(sampleApp), string(row.app), 1)
			}
			_, err := opener.Open(keys(key64), sealed(t, `{`+plain+`}`))
			wantErr(t, err, row.err)
		})
	}
	opener := aged(time.Hour)
	opener.Now = time.Now
	for _, timestamp := range []string{"9223372036854775807", "-9223372036854775808", "0"} {
		_, err := opener.Open(keys(key64), sealed(t, `{`+strings.Replace(mark, "1477314187", timestamp, 1)+`}`))
		wantErr(t, err, auth.ErrWatermarkStale)
	}
}

func TestOpenSignature(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte(sampleRaw + sampleSignedKey))
	if hex.EncodeToString(sum[:]) != sampleSignature {
		t.Fatal("the signature of the published sample does not match")
	}
	signedKey, err := base64.StdEncoding.DecodeString(sampleSignedKey)
	if err != nil {
		t.Fatal(err)
	}
	data := auth.OpenData{
		EncryptedData: seal(t, signedKey, iv, []byte(`{`+mark+`}`)), IV: iv64, RawData: sampleRaw, Signature: sampleSignature,
	}
	for name, row := range map[string]struct {
		change func(*auth.OpenData)
		err    error
	}{
		"published":    {change: func(*auth.OpenData) {}},
		"upper case":   {change: func(d *auth.OpenData) { d.Signature = strings.ToUpper(d.Signature) }},
		"none":         {change: func(d *auth.OpenData) { d.Signature = "" }},
		"another":      {change: func(d *auth.OpenData) { d.Signature = "8" + d.Signature[1:] }, err: auth.ErrDecryptFailed},
		"changed data": {change: func(d *auth.OpenData) { d.RawData += " " }, err: auth.ErrDecryptFailed},
		"no data":      {change: func(d *auth.OpenData) { d.RawData = "" }, err: auth.ErrDecryptFailed},
		"of another key": {change: func(d *auth.OpenData) { // key64 is a key of the user too, but it did not decrypt the data
			sum := sha1.Sum([]byte(d.RawData + key64))
			d.Signature = hex.EncodeToString(sum[:])
		}, err: auth.ErrDecryptFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := data
			row.change(&changed)
			_, err := opener().Open(keys(key64, sampleSignedKey), changed)
			wantErr(t, err, row.err)
		})
	}
}
