package sessiontest

import (
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
)

func (r *ModelRun) someKey() string { return fmt.Sprintf("k%d", r.Rand.IntN(8)) }

// decode opens data with the handle of a session, half of the time with an access token too.
func (r *ModelRun) decode() {
	s := r.session()
	if s == nil {
		return
	}
	caller := auth.Caller{Handle: string(s.id)}
	remembered := s
	if r.Rand.IntN(2) == 0 {
		id, bearer := r.bearer()
		if id == nil || bearer.user != s.user {
			return
		}
		caller.Identity, remembered = id, bearer
	}
	key, now := r.someKey(), r.c.Now()
	number := fmt.Sprint(r.Rand.IntN(1000))
	decoded, err := r.service.Decode(r.Context(), caller, auth.OpenData{EncryptedData: key, IV: number}, AnyApp)
	var want error
	switch {
	case s.ended(now) || len(r.model.keys[s.user]) == 0:
		want = auth.ErrSessionStale
	case !slices.Contains(r.model.keys[s.user], key):
		want = auth.ErrDecryptFailed
	}
	if !r.wantErr("decode", err, want) {
		return
	}
	if decoded.NotRemembered != nil || (decoded.Grant != nil) != (caller.Identity != nil) {
		r.Errorf("decoded %+v", decoded)
	}
	remembered.phone = "+86" + number
	if decoded.Grant != nil {
		r.keep(decoded.Grant, remembered)
	}
}

func (r *ModelRun) compareKeys() {
	for _, u := range r.users {
		if got, want := KeysOf(r, r.store, u), r.model.keys[u]; !slices.Equal(got, want) {
			r.Errorf("keys of %v: got %v, want %v", u, got, want)
		}
	}
}

func (r *ModelRun) putKey() {
	u, key := r.user(), r.someKey()
	r.wantErr("put key", r.store.PutSessionKey(r.Context(), u, auth.SessionKey{Key: key, ObtainedAt: r.c.Now()}), nil)
	r.model.putKey(u, key)
	r.model.settle(r.c.Now()) // a user without a session has no keys
}

func (r *ModelRun) dropKey() {
	u, key := r.user(), r.someKey()
	r.wantErr("drop key", r.store.DropSessionKey(r.Context(), u, auth.SessionKey{Key: key}), nil)
	r.model.dropKey(u, key)
}

// revokeSigningKey simulates a leaked signing key: its tokens are refused, and the next key
// signs.
func (r *ModelRun) revokeSigningKey() {
	key := auth.KeyID(fmt.Sprintf("key%d", r.signing))
	r.wantErr("revoke key", r.store.RevokeKey(r.Context(), key, r.c.Now().Add(Access)), nil)
	r.model.badKeys[key] = true
	r.signing++
}
