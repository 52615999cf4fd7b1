package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

const adviseSecret = "configure the same root secret on every replica (`secret {file./path}`), with an old one after the new one (secret <new> <old>); for a separate gateway on the same Redis, set another prefix"

// storeMeta is the metadata of a store in Redis.
type storeMeta struct {
	vault  *session.Vault
	secret string // identifies the root secret that opens the index key
}

// errRaced means that another replica wrote first.
var errRaced = errors.New("another replica wrote first")

// newSharedVault returns the vault of a store that replicas share. Records are sealed with its
// index key, which is sealed with the root secret. So, during a rotation of the root secret,
// replicas with the new secret and replicas with the old one can read each other's records.
func newSharedVault(index []byte) (*session.Vault, error) {
	box, err := seal.New(index)
	if err != nil {
		return nil, fmt.Errorf("%w: the index key: %w", session.ErrCorrupt, err)
	}
	return &session.Vault{Box: box, IndexKey: index}, nil
}

// readMeta opens the store with the root secrets of box, or creates one. It does not write
// to an existing store: after a rotation of the root secret, the first write of a [Store]
// seals the index key again.
func (r *Client) readMeta(ctx context.Context, box *seal.Box) (storeMeta, error) {
	for range maxAttempts {
		fields, err := r.client.Send(ctx, r.client.B().Hgetall().Key(r.metaKey()).Build()).AsStrMap()
		if err != nil {
			return storeMeta{}, r.failed(err)
		}
		if fields[layout.MetaIndex] != "" {
			return r.openMeta(fields, box)
		}
		if err := r.initMeta(ctx, box); err != nil && !errors.Is(err, errRaced) {
			return storeMeta{}, err
		}
	}
	return storeMeta{}, session.Unavailable(errContended)
}

func (r *Client) openMeta(fields map[string]string, box *seal.Box) (storeMeta, error) {
	if schema, err := strconv.Atoi(fields[layout.MetaSchema]); err != nil || schema < 1 {
		return storeMeta{}, fmt.Errorf("redis at %s: %w: schema %q in %s", r.client.Where(), session.ErrCorrupt, fields[layout.MetaSchema], r.metaKey())
	} else if schema > layout.Version {
		return storeMeta{}, fmt.Errorf("redis at %s: %w: schema %d, this version of wxgate supports %d: run the newer version, or set another prefix", r.client.Where(), session.ErrNewerSchema, schema, layout.Version)
	}
	index, err := session.Vault{Box: box}.Open([]byte("meta"), []byte(layout.MetaIndex), []byte(fields[layout.MetaIndex]))
	if errors.Is(err, session.ErrOtherSecret) {
		return storeMeta{}, fmt.Errorf("redis at %s: %w: %s", r.client.Where(), session.ErrOtherSecret, adviseSecret)
	}
	if err != nil {
		return storeMeta{}, fmt.Errorf("redis at %s: %s: %w", r.client.Where(), r.metaKey(), err)
	}
	v, err := newSharedVault(index)
	if err != nil {
		return storeMeta{}, err
	}
	return storeMeta{vault: v, secret: fields[layout.MetaSecret]}, nil
}

// initMeta writes the index key of an empty store. After FLUSHALL it is the key that this
// replica already has, so that running replicas can still read each other's records.
func (r *Client) initMeta(ctx context.Context, box *seal.Box) error {
	index := session.NewIndexKey()
	if v := r.vault.Load(); v != nil {
		index = v.IndexKey
	}
	return r.writeMeta(ctx, box, index, "")
}

// writeMeta writes the sealed index key, unless another replica changed it.
func (r *Client) writeMeta(ctx context.Context, box *seal.Box, index []byte, was string) error {
	sealed, err := session.Vault{Box: box}.Seal([]byte("meta"), []byte(layout.MetaIndex), index)
	if err != nil {
		return err
	}
	key := r.metaKey()
	st := step.New()
	st.ExpectField(key, layout.MetaIndex, was)
	st.SetField(key, layout.MetaIndex, string(sealed))
	st.SetField(key, layout.MetaSecret, box.ID())
	st.SetField(key, layout.MetaSchema, strconv.Itoa(layout.Version))
	wrote, err := r.write(ctx, step.Script, st.Keys, st.Args())
	if err == nil && !wrote {
		return errRaced
	}
	return err
}

// reseal seals the index key with the newest root secret only.
func (s *Store) reseal(ctx context.Context) error {
	if s.resealed.Load() {
		return nil
	}
	fields, err := s.redis.client.Send(ctx, s.redis.client.B().Hgetall().Key(s.redis.metaKey()).Build()).AsStrMap()
	if err != nil {
		return s.redis.failed(err)
	}
	if fields[layout.MetaSecret] != s.box.ID() {
		meta, err := s.redis.openMeta(fields, s.box)
		if err != nil {
			return session.Unavailable(err)
		}
		err = s.redis.writeMeta(ctx, s.box, meta.vault.IndexKey, fields[layout.MetaIndex])
		if err != nil && !errors.Is(err, errRaced) {
			return err
		}
	}
	s.resealed.Store(true)
	return nil
}
