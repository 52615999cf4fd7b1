package wechat_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// A profile, opened with the session key that the login stored. This is the
// sample that WeChat publishes; it is from 2016, so its age is not looked at.
func ExampleClient_Open() {
	client, err := wechat.New(wechat.Config{AppID: "wx4f4bc4dec97d474b", Secret: "not needed to open data"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	keys := []auth.SessionKey{{Key: "tiihtNczf5v6AKRyjwEUhQ=="}}
	opened, err := client.Open(keys, auth.OpenData{EncryptedData: sampleData, IV: "r7BXXKkLb8qrSNn05n0qiA=="})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(opened.OpenID)
	fmt.Println(string(opened.JSON[:58]))
	// Output:
	// oGZUI0egBJY1zhBYw2KhdUfwVJJE
	// {"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band"
}

// The same data where it may be an hour old at most.
func ExampleConfig_watermark() {
	client, err := wechat.New(wechat.Config{
		AppID: "wx4f4bc4dec97d474b", Secret: "not needed to open data", Watermark: time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	keys := []auth.SessionKey{{Key: "tiihtNczf5v6AKRyjwEUhQ=="}}
	_, err = client.Open(keys, auth.OpenData{EncryptedData: sampleData, IV: "r7BXXKkLb8qrSNn05n0qiA=="})
	fmt.Println(errors.Is(err, auth.ErrWatermarkStale))
	// Output: true
}
