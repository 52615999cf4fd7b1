package simserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// A login, as a mini program and its server make it.
func Example() {
	srv, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	get := func(target string) string {
		resp, err := simtest.Client.Get(target)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Sprint(resp.Status, err)
		}
		return string(body)
	}
	login := srv.URL + "/sns/jscode2session?" + url.Values{
		"appid":      {wechatsim.DefaultApp.ID},
		"secret":     {wechatsim.DefaultApp.Secret},
		"js_code":    {get(srv.ManagementURL + "/code?openid=alice")},
		"grant_type": {"authorization_code"},
	}.Encode()
	fmt.Println(strings.Contains(get(login), `"openid":"alice"`))
	fmt.Println(get(login)[:len(`{"errcode":40163,"errmsg":"code been used`)])

	// Output:
	// true
	// {"errcode":40163,"errmsg":"code been used
}
