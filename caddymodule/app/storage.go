package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/wechat"
)

const (
	keysItem   = "wxgate/keys"        // the signing keys, sealed
	secretItem = "wxgate/root_secret" // the generated root secret
)

// item is one value in Caddy's storage, which may be a directory or a storage that
// several machines share.
type item struct {
	storage certmagic.Storage
	name    string
}

// Load returns the value, or nil if there is none.
func (i item) Load(ctx context.Context) ([]byte, error) {
	value, err := i.storage.Load(ctx, i.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s from Caddy's storage: %w", i.name, err)
	}
	return value, nil
}

// Update changes the value under the storage's lock. A change that fails, or that changes
// nothing, writes nothing.
//
// Usually, at every start and reload, nothing changes. That is found out without the
// lock: a process that was killed while it held the lock leaves it locked, and others
// wait ten seconds until it counts as stale.
func (i item) Update(ctx context.Context, change func(old []byte) ([]byte, error)) error {
	if changed, err := i.try(ctx, change); err != nil || changed == nil {
		return err
	}
	return i.updateLocked(ctx, change)
}

func (i item) updateLocked(ctx context.Context, change func(old []byte) ([]byte, error)) (err error) {
	if err := i.storage.Lock(ctx, i.name); err != nil {
		// The lock's error for a directory that it cannot create says that it is missing.
		return fmt.Errorf("locking %s in Caddy's storage, which must be writable (storage in the global options, or XDG_DATA_HOME, says where it is): %w", i.name, err)
	}
	defer func() {
		// Unlock even if ctx has ended.
		err = errors.Join(err, i.storage.Unlock(context.WithoutCancel(ctx), i.name))
	}()
	changed, err := i.try(ctx, change)
	if err != nil || changed == nil {
		return err
	}
	if err := i.storage.Store(ctx, i.name, changed); err != nil {
		return fmt.Errorf("writing %s to Caddy's storage: %w", i.name, err)
	}
	return nil
}

// try returns the changed value, or nil if nothing changes.
func (i item) try(ctx context.Context, change func(old []byte) ([]byte, error)) ([]byte, error) {
	old, err := i.Load(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := change(old)
	if err != nil || string(changed) == string(old) {
		return nil, err
	}
	return changed, nil
}

// keysValue is where the signing keys are in a shared store.
const keysValue = "keys"

// rootSecret returns the generated root secret, and generates it at the first start. It
// is a line of text, so that a configuration can name its file ({file.X}) when the
// operator replaces it by another secret.
func rootSecret(ctx context.Context, storage certmagic.Storage) ([]byte, error) {
	i := item{storage, secretItem}
	root, err := i.Load(ctx)
	if err != nil || root != nil {
		return root, err
	}
	err = i.Update(ctx, func(old []byte) ([]byte, error) {
		if old != nil { // another process was first
			root = old
			return nil, nil
		}
		root = []byte(rand.Text() + rand.Text()) // 260 bits
		return root, nil
	})
	return root, err
}

// tokenPurpose seals WeChat's access tokens, as seal.Box has it.
const tokenPurpose = "wechat-access-token"

// redisTokens is the [wechat.TokenShare] of one app's client, sealed in Redis.
type redisTokens struct {
	value *redis.Value
	box   *seal.Box
	name  string // bound to what is sealed: a token moved to another app does not open
}

// tokenShare returns where clients with this key share their token, or nil without store
// redis.
func (o *opener) tokenShare(key platformKey) wechat.TokenShare {
	if o.redis == nil {
		return nil
	}
	// Without the watermark, which does not concern tokens.
	whose := secret.Hash(string(key.platform), key.app, key.api, string(key.secret[:]), string(key.component.AppID), key.component.TokenURL)
	name := "token:" + hex.EncodeToString(o.box.MAC(tokenPurpose, whose[:]))
	return redisTokens{o.redis.Value(name), o.box, name}
}

// keptToken is a [wechat.SharedToken] as it is sealed.
type keptToken struct {
	Token   string    `json:"token"`
	Fetched time.Time `json:"fetched"`
	Expires time.Time `json:"expires"`
}

// Load implements [wechat.TokenShare].
func (r redisTokens) Load(ctx context.Context) (wechat.SharedToken, error) {
	sealed, err := r.value.Load(ctx)
	if err != nil || sealed == nil {
		return wechat.SharedToken{}, err
	}
	text, err := r.box.Open(tokenPurpose, sealed, []byte(r.name))
	if err != nil {
		return wechat.SharedToken{}, fmt.Errorf("the shared access token: %w", err)
	}
	var kept keptToken
	if err := json.Unmarshal(text, &kept); err != nil {
		return wechat.SharedToken{}, fmt.Errorf("the shared access token: %w", err)
	}
	return wechat.SharedToken(kept), nil
}

// Keep implements [wechat.TokenShare].
func (r redisTokens) Keep(ctx context.Context, token wechat.SharedToken) error {
	life := time.Until(token.Expires)
	if life <= 0 {
		return nil
	}
	text, err := json.Marshal(keptToken(token))
	if err != nil {
		return err
	}
	sealed, err := r.box.Seal(tokenPurpose, text, []byte(r.name))
	if err != nil {
		return err
	}
	return r.value.Put(ctx, sealed, life)
}

// Lease implements [wechat.TokenShare].
func (r redisTokens) Lease(ctx context.Context, ttl time.Duration) (release func(), held bool, err error) {
	return r.value.Lease(ctx, ttl)
}

// Interface guards
var _ wechat.TokenShare = redisTokens{}
