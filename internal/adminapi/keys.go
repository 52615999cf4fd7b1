package adminapi

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// Key is a signing key as operators see it.
type Key struct {
	ID          auth.KeyID       `json:"id" jsonschema:"kid of the tokens that it signs"`
	Alg         signing.Alg      `json:"alg"`
	State       keyring.KeyState `json:"state" jsonschema:"next, signing, verifying or retired"`
	Configured  bool             `json:"configured" jsonschema:"the configuration names it: it is not rotated"`
	Issuer      string           `json:"issuer"`
	Audience    []string         `json:"audience"`
	CreatedAt   time.Time        `json:"created_at"`
	SignsFrom   time.Time        `json:"signs_from"`
	VerifyUntil time.Time        `json:"verify_until,omitzero" jsonschema:"when its last token expires"`
	New         bool             `json:"new,omitempty" jsonschema:"this call made it"`
}

// RotateRequest is the request of [RotateKeys].
type RotateRequest struct {
	Immediate bool `json:"immediate,omitempty" jsonschema:"the next key signs at once"`
}

// RetireRequest is the request of [RetireKey].
type RetireRequest struct {
	Key auth.KeyID `json:"key" jsonschema:"the ID of the key"`
}

// Subject implements [Subject].
func (r RetireRequest) Subject(*gateway.Runtime) []zap.Field {
	return []zap.Field{zap.String("key", string(r.Key))}
}

// The calls about signing keys.
var (
	ListKeys   = get("keys", "list the signing keys", listKeys)
	RotateKeys = post("keys/rotate", "make the next signing key; immediate: have it sign at once", audited, rotateKeys)
	RetireKey  = post("keys/retire", "refuse all that a signing key signed; key: its ID", audited, retireKey)
)

func listKeys(_ context.Context, rt *gateway.Runtime) ([]Key, error) { return keysOf(rt), nil }

func keysOf(rt *gateway.Runtime) []Key {
	keys := []Key{}
	for _, key := range rt.Ring.Keys() {
		keys = append(keys, Key{
			ID: key.ID, Alg: key.Alg, State: key.State, Configured: key.Given, Issuer: key.Issuer, Audience: key.Audiences,
			CreatedAt: key.CreatedAt, SignsFrom: key.SignsFrom, VerifyUntil: key.VerifyUntil,
		})
	}
	return keys
}

func rotateKeys(ctx context.Context, rt *gateway.Runtime, in RotateRequest) ([]Key, error) {
	next, made, err := rt.Ring.Rotate(ctx, in.Immediate)
	if err != nil {
		return nil, err
	}
	keys := keysOf(rt)
	for i := range keys {
		keys[i].New = made && keys[i].ID == next
	}
	return keys, nil
}

// retireKey removes the key from the ring first, so that this process refuses its
// tokens even if the store fails.
func retireKey(ctx context.Context, rt *gateway.Runtime, in RetireRequest) ([]Key, error) {
	until, err := rt.Ring.Retire(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	if err := rt.Store.RevokeKey(ctx, in.Key, until); err != nil {
		return nil, err
	}
	return keysOf(rt), nil
}
