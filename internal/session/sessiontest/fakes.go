package sessiontest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// fakeTokens writes access tokens as JSON. They expire by its clock.
type fakeTokens struct {
	auth.Tokens

	now func() time.Time
	key func() auth.KeyID
}

func (f fakeTokens) Issue(id auth.Identity) (string, error) {
	id.Key = f.key()
	b, err := json.Marshal(id)
	return string(b), err
}

func (f fakeTokens) Verify(raw string) (*auth.Identity, error) {
	id := new(auth.Identity)
	if err := json.Unmarshal([]byte(raw), id); err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrInvalidToken, err)
	}
	if !f.now().Before(id.Expires) {
		return nil, auth.ErrTokenExpired
	}
	return id, nil
}

func (fakeTokens) TagRefresh(token []byte) []byte {
	tag := sha256.Sum256(append([]byte("key"), token...))
	return tag[:]
}

func (f fakeTokens) TaggedRefresh(token, tag []byte) bool {
	return bytes.Equal(tag, f.TagRefresh(token))
}

func (fakeTokens) SealHandle(id auth.SessionID) (string, error) { return string(id), nil }

func (fakeTokens) OpenHandle(handle string) (auth.SessionID, error) {
	id, err := auth.ParseSessionID(handle)
	if err != nil {
		return "", auth.ErrSessionStale
	}
	return id, nil
}

// fakePlatform accepts "openid key" as a login code, and opens data that names the key with
// which it is encrypted.
type fakePlatform struct{ auth.Platform }

func (fakePlatform) Exchange(_ context.Context, code string) (auth.LoginResult, error) {
	var openid, key string
	if _, err := fmt.Sscan(code, &openid, &key); err != nil {
		return auth.LoginResult{}, fmt.Errorf("%w: %w", auth.ErrInvalidCode, err)
	}
	return auth.LoginResult{OpenID: auth.OpenID(openid), UnionID: "union", SessionKey: key}, nil
}

func (fakePlatform) Open(keys []auth.SessionKey, data auth.OpenData) (auth.Opened, error) {
	for _, key := range keys {
		if key.Key == data.EncryptedData {
			return auth.Opened{Phone: &auth.Phone{PurePhoneNumber: data.IV, CountryCode: "86"}}, nil
		}
	}
	return auth.Opened{}, fmt.Errorf("%w: %d keys do not match", auth.ErrDecryptFailed, len(keys))
}

func (fakePlatform) CheckPhone(context.Context, auth.OpenData) error { return nil }

func (fakePlatform) Risk(context.Context, auth.OpenID, string) (auth.Risk, error) { return 3, nil }

// AnyApp admits every mini program.
func AnyApp(auth.AppID) bool { return true }

// ServiceOver returns the gateway's rules over a store.
func ServiceOver(store Store, now func() time.Time, key func() auth.KeyID) *auth.Service {
	return auth.NewService(auth.Config{
		Apps:        map[auth.AppID]auth.Platform{"wx1": fakePlatform{}, "wx2": fakePlatform{}, "qq1": fakePlatform{}},
		Scopes:      map[auth.AppID]auth.Scope{"qq1": {Platform: "qq"}},
		Tokens:      fakeTokens{now: now, key: key},
		Store:       store,
		Revocations: store.Set,
		Access:      Access, Refresh: Life, Idle: Idle,
		Now: now,
	})
}

// KeyOne is the ID of the signing key of tests that have only one.
func KeyOne() auth.KeyID { return "key1" }
