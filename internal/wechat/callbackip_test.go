package wechat_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// respondList responds with WeChat's addresses.
func respondList(list ...string) http.HandlerFunc {
	return respond(`{"ip_list":["` + strings.Join(list, `","`) + `"]}`)
}

// TestCallbackAddresses: the list is fetched in the background, kept, renewed twice a day,
// and forgotten if it cannot be renewed for days.
func TestCallbackAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform().on(tokenPath, respond(goodToken)).on(addressesPath,
			respond(`{"errcode":-1,"errmsg":"system error"}`), respond(`{"errcode":-1,"errmsg":"system error"}`), // retried once
			respondList("203.0.113.1", "198.51.100.0/24", "2001:db8::/32"), respondList("203.0.113.2"), respond("{}"))
		client := mustClient(t, wechat.Config{Transport: p})
		ask := func(addr string) string {
			known, ours := client.IsCallbackAddress(t.Context(), netip.MustParseAddr(addr))
			synctest.Wait()
			return fmt.Sprint(known, ours)
		}
		check := func(addr, want string) {
			t.Helper()
			if got := ask(addr); got != want {
				t.Errorf("%s: %s, want %s", addr, got, want)
			}
		}
		const unknown, yes, no = "false false", "true true", "true false"
		check("203.0.113.1", unknown)
		time.Sleep(time.Minute) // the retry ends
		for range 3 {
			check("203.0.113.1", unknown) // no fetch for ten minutes after a failure
		}
		if n := p.count(addressesPath); n != 2 {
			t.Errorf("%d calls after a failure, want 2", n)
		}
		time.Sleep(10 * time.Minute)
		check("203.0.113.1", unknown) // starts the fetch
		check("203.0.113.1", yes)
		check("198.51.100.9", yes)
		check("::ffff:198.51.100.9", yes)
		check("2001:db8:1::1", yes)
		check("203.0.113.2", no)
		check("fe80::1%eth0", no)
		time.Sleep(11 * time.Hour)
		check("203.0.113.2", no)
		if n := p.count(addressesPath); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
		time.Sleep(time.Hour)
		check("203.0.113.2", no) // renews the list
		check("203.0.113.2", yes)
		check("203.0.113.1", no)
		time.Sleep(13 * time.Hour)
		check("203.0.113.2", yes) // the renewal fails, and the old list stays
		time.Sleep(time.Minute)
		check("203.0.113.2", yes)
		time.Sleep(3 * 24 * time.Hour)
		check("203.0.113.2", unknown)
		time.Sleep(time.Minute)
	})
}

func TestUnreadableCallbackAddresses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"none": `{"ip_list":[]}`, "missing": `{}`, "a name": `{"ip_list":["localhost"]}`, "a zone": `{"ip_list":["fe80::1%eth0"]}`,
		"invalid mask": `{"ip_list":["192.0.2.0/33"]}`, "empty": `{"ip_list":[""]}`, "a text": `{"ip_list":"192.0.2.1"}`,
		"too many": `{"ip_list":["192.0.2.1"` + strings.Repeat(`,"192.0.2.1"`, 10_000) + `]}`,
	} {
		client := dial(t, newPlatform().on(tokenPath, respond(goodToken)).on(addressesPath, respond(body)))
		if list, err := client.CallbackAddresses(t.Context()); list != nil {
			t.Errorf("%s: %d addresses", name, len(list))
		} else {
			wantErr(t, err, auth.ErrWeChatUnreadable)
		}
	}
}

// TestCallbackAddressesOfAnotherPlatform: other platforms have no such call.
func TestCallbackAddressesOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	client := mustClient(t, wechat.Config{Platform: wechat.QQ, Transport: p})
	if known, _ := client.IsCallbackAddress(t.Context(), netip.MustParseAddr("203.0.113.1")); known || p.count(addressesPath) != 0 {
		t.Error("the addresses are known, or were fetched")
	}
}
