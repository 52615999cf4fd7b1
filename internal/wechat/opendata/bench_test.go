package opendata_test

import "testing"

// BenchmarkOpen decrypts and reads a phone number, under the newest of a user's session keys
// and under the oldest.
func BenchmarkOpen(b *testing.B) {
	data := sealed(b, `{"phoneNumber":"10012345678","purePhoneNumber":"10012345678","countryCode":"86",`+mark+`}`)
	for name, spelled := range map[string][]string{
		"newest": {key64},
		"oldest": {sampleKey, sampleKey, sampleKey, sampleKey, key64},
	} {
		b.Run(name, func(b *testing.B) {
			o, session := opener(), keys(spelled...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := o.Open(session, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
