package wechat_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// failing returns handlers of which bad in ten fail, spread evenly.
func failing(bad int) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		n++
		if n*bad/10 != (n-1)*bad/10 {
			respond(`{"errcode":-1}`)(w, r)
			return
		}
		respond(goodLogin)(w, r)
	}
}

// TestBreakerByRate: a platform that sometimes succeeds never fails ten times in a row, and the
// breaker must open all the same. A platform that sometimes fails must not open it.
func TestBreakerByRate(t *testing.T) {
	t.Parallel()
	for bad, opens := range map[int]bool{2: false, 5: false, 6: false, 8: true} {
		t.Run(fmt.Sprintf("%d of 10", bad), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := direct(t, newPlatform().on(loginPath, failing(bad)))
				opened := false
				for range 200 {
					_, _ = client.Exchange(t.Context(), code)
					opened = opened || client.Breaker() != "closed"
					time.Sleep(100 * time.Millisecond)
				}
				if opened != opens {
					t.Fatalf("opened: %v, want %v", opened, opens)
				}
			})
		})
	}
}

// An operation of several calls, each just within its deadline, has a deadline for the whole
// operation.
func TestPhoneNumberIsBoundedAsAWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slowly := func(body string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(4 * time.Second)
				respond(body)(w, r)
			}
		}
		p := newPlatform().on(tokenPath, slowly(goodToken)).on(phonePath, slowly(`{"errcode":40001}`))
		started := time.Now()
		_, err := direct(t, p).PhoneNumber(t.Context(), code, openid)
		wantErr(t, err, auth.ErrWeChatTimeout)
		if took := time.Since(started); took != 10*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}
