package opendata_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/opendata"
)

// A profile, opened with the session key that the login stored. This is the sample
// that WeChat publishes; it is from 2016, so its age is not checked.
func ExampleOpener_Open() {
	opener := opendata.Opener{App: "wx4f4bc4dec97d474b", KeyBytes: []int{16}}
	keys := []auth.SessionKey{{Key: "tiihtNczf5v6AKRyjwEUhQ=="}}
	opened, err := opener.Open(keys, auth.OpenData{EncryptedData: sampleData, IV: "r7BXXKkLb8qrSNn05n0qiA=="})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(opened.OpenID)
	fmt.Println(string(opened.JSON[:58]))
	// Output:
	// oGZUI0egBJY1zhBYw2KhdUfwVJJE
	// {"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band"
}

// The same data with a maximum age of one hour.
func ExampleOpener_maxAge() {
	opener := opendata.Opener{App: "wx4f4bc4dec97d474b", KeyBytes: []int{16}, MaxAge: time.Hour, Now: time.Now}
	keys := []auth.SessionKey{{Key: "tiihtNczf5v6AKRyjwEUhQ=="}}
	_, err := opener.Open(keys, auth.OpenData{EncryptedData: sampleData, IV: "r7BXXKkLb8qrSNn05n0qiA=="})
	fmt.Println(errors.Is(err, auth.ErrWatermarkStale))
	// Output: true
}
