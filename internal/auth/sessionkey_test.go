package auth_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestSessionKeys: only the newest key is checked or replaced, and only a key that the
// platform reports as stale is forgotten.
func TestSessionKeys(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		reset    bool // replace the key, not only check it
		app      auth.AppID
		none     bool   // the user has no key
		store    string // the method of the store that fails
		platform error
		want     []error
		left     []string // default: both keys
	}{
		"valid":                      {},
		"replaced":                   {reset: true, left: []string{"k3", "k1"}},
		"check, stale":               {platform: auth.ErrSessionStale, want: []error{auth.ErrSessionStale}, left: []string{"k1"}},
		"reset, stale":               {reset: true, platform: auth.ErrSessionStale, want: []error{auth.ErrSessionStale}, left: []string{"k1"}},
		"check, busy":                {platform: auth.ErrWeChatBusy, want: []error{auth.ErrWeChatBusy}},
		"reset, busy":                {reset: true, platform: auth.ErrWeChatBusy, want: []error{auth.ErrWeChatBusy}},
		"check, unknown app":         {app: "wx2", want: []error{auth.ErrUnknownApp}},
		"reset, unknown app":         {reset: true, app: "wx2", want: []error{auth.ErrUnknownApp}},
		"check, no key":              {none: true, want: []error{auth.ErrSessionStale}, left: []string{}},
		"reset, no key":              {reset: true, none: true, want: []error{auth.ErrSessionStale}, left: []string{}},
		"check, keys unreadable":     {store: "SessionKeys", want: []error{auth.ErrStoreUnavailable}},
		"reset, keys unreadable":     {reset: true, store: "SessionKeys", want: []error{auth.ErrStoreUnavailable}},
		"reset, not written":         {reset: true, store: "PutSessionKey", want: []error{auth.ErrStoreUnavailable}},
		"reset, old key not dropped": {reset: true, store: "DropSessionKey", want: []error{auth.ErrStoreUnavailable}, left: []string{"k3", "k2", "k1"}},
		"stale key not dropped":      {platform: auth.ErrSessionStale, store: "DropSessionKey", want: []error{auth.ErrSessionStale, auth.ErrStoreUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newTries(t, "k2", "k1")
			d.platform.fresh, d.platform.fails, d.store.fails = "k3", row.platform, row.store
			if row.none {
				d.store.keys = nil
			}
			if row.app == "" {
				row.app = theApp
			}
			if row.left == nil {
				row.left = []string{"k2", "k1"}
			}
			call := d.service.CheckSessionKey
			if row.reset {
				call = d.service.ResetSessionKey
			}
			err := call(t.Context(), auth.User{App: row.app, OpenID: "o1"})
			if len(row.want) == 0 && err != nil {
				t.Error(err)
			}
			for _, want := range row.want {
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			left := []string{}
			for _, key := range d.store.keys {
				left = append(left, key.Key)
			}
			if !slices.Equal(left, row.left) {
				t.Errorf("the store keeps %q, want %q", left, row.left)
			}
		})
	}
}
