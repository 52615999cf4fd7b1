package opendata_test

import (
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

func TestOpenPhone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fields string
		want   *auth.Phone
	}{
		"documented": {
			`"phoneNumber":"10058006666","purePhoneNumber":"10058006666","countryCode":"86"`,
			&auth.Phone{PhoneNumber: "10058006666", PurePhoneNumber: "10058006666", CountryCode: "86"},
		},
		"foreign": {
			`"phoneNumber":"85251234567","purePhoneNumber":"51234567","countryCode":"852"`,
			&auth.Phone{PhoneNumber: "85251234567", PurePhoneNumber: "51234567", CountryCode: "852"},
		},
		"foreign with +": {
			`"phoneNumber":"+852-51234567","purePhoneNumber":"51234567","countryCode":852`,
			&auth.Phone{PhoneNumber: "+852-51234567", PurePhoneNumber: "51234567", CountryCode: "852"},
		},
		"another number":       {`"phoneNumber":"10058006667","purePhoneNumber":"10058006666","countryCode":"86"`, nil},
		"another country":      {`"phoneNumber":"85251234567","purePhoneNumber":"51234567","countryCode":"86"`, nil},
		"letters":              {`"phoneNumber":"1358000666a","purePhoneNumber":"1358000666a","countryCode":"86"`, nil},
		"fullwidth digits":     {`"phoneNumber":"１３５８","purePhoneNumber":"１３５８","countryCode":"86"`, nil},
		"pure with +":          {`"phoneNumber":"+8610058006666","purePhoneNumber":"+8610058006666","countryCode":"86"`, nil},
		"country with +":       {`"phoneNumber":"10058006666","purePhoneNumber":"10058006666","countryCode":"+86"`, nil},
		"country a fraction":   {`"phoneNumber":"10058006666","purePhoneNumber":"10058006666","countryCode":8.6`, nil},
		"country null":         {`"phoneNumber":"10058006666","purePhoneNumber":"10058006666","countryCode":null`, nil},
		"no country":           {`"phoneNumber":"10058006666","purePhoneNumber":"10058006666"`, nil},
		"no phoneNumber":       {`"purePhoneNumber":"10058006666","countryCode":"86"`, nil},
		"no purePhoneNumber":   {`"phoneNumber":"10058006666","countryCode":"86"`, nil},
		"too short":            {`"phoneNumber":"123","purePhoneNumber":"123","countryCode":"86"`, nil},
		"too long for E.164":   {`"phoneNumber":"12345678901234","purePhoneNumber":"12345678901234","countryCode":"86"`, nil},
		"number a JSON number": {`"phoneNumber":10058006666,"purePhoneNumber":10058006666,"countryCode":"86"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened, err := opener().Open(keys(key64), sealed(t, `{`+row.fields+`,`+mark+`}`))
			if row.want == nil {
				wantErr(t, err, auth.ErrDecryptFailed)
				return
			}
			wantErr(t, err, nil)
			row.want.Watermark = auth.Watermark{AppID: sampleApp, Timestamp: 1477314187}
			if opened.Phone == nil || *opened.Phone != *row.want {
				t.Fatalf("got %+v, want %+v", opened.Phone, row.want)
			}
		})
	}
}

// Undocumented members are counted, and duplicates are refused: a lenient decoder would make
// forging cheaper.
func TestOpenPhoneUnknownMembers(t *testing.T) {
	t.Parallel()
	const phone = `"phoneNumber":"10058006666","purePhoneNumber":"10058006666","countryCode":"86"`
	for more, want := range map[string]int{``: 0, `"a":1,`: 1, `"a":{"b":[1,"}"],"c":2},"d":"\"e\":",`: 2} {
		opened, err := opener().Open(keys(key64), sealed(t, `{`+more+phone+`,`+mark+`}`))
		wantErr(t, err, nil)
		if opened.Unknown != want {
			t.Errorf("%d unknown members in %q, want %d", opened.Unknown, more, want)
		}
	}
	_, err := opener().Open(keys(key64), sealed(t, `{"a":1,"a":2,`+phone+`,`+mark+`}`))
	wantErr(t, err, auth.ErrDecryptFailed)
}
