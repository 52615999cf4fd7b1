package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/wxgate/wxgate/internal/seal"
)

const adviseRedisSecret = "give every replica the same root secret (`secret {file./path}`), and an old one behind the new (secret <new> <old>); for another gateway on the same Redis, use a prefix of its own"

// redisMeta is what a store in Redis says of itself.
type redisMeta struct {
	vault  *vault
	secret string // names the root secret that opens it
}

// errRaced is that another replica wrote first.
var errRaced = errors.New("another replica was faster")

// newSharedVault makes the vault of a store that replicas share. Records are
// sealed under its index key and not under the root secret itself, which seals
// that key: while the root secret is rotated, replicas that have the new one
// already and those that have not yet read each other's records.
func newSharedVault(index []byte) (*vault, error) {
	box, err := seal.New(index)
	if err != nil {
		return nil, fmt.Errorf("%w: the index key: %w", ErrCorrupt, err)
	}
	return &vault{box: box, index: index}, nil
}

// readMeta opens the store with the root secrets of box, and founds one where
// there is none. It writes nothing to one that is there: the first write of a
// [RedisStore] seals anew what a rotated root secret left behind.
func (r *Redis) readMeta(ctx context.Context, box *seal.Box) (redisMeta, error) {
	for range maxAttempts {
		fields, err := r.do(ctx, r.client.B().Hgetall().Key(r.metaKey()).Build()).AsStrMap()
		if err != nil {
			return redisMeta{}, r.failed(err)
		}
		if fields[metaIndexField] != "" {
			return r.openMeta(fields, box)
		}
		if err := r.found(ctx, box); err != nil && !errors.Is(err, errRaced) {
			return redisMeta{}, err
		}
	}
	return redisMeta{}, unavailable(errContended)
}

func (r *Redis) openMeta(fields map[string]string, box *seal.Box) (redisMeta, error) {
	if schema, err := strconv.Atoi(fields[metaSchemaField]); err != nil || schema < 1 {
		return redisMeta{}, fmt.Errorf("redis at %s: %w: schema %q in %s", r.cfg.where(), ErrCorrupt, fields[metaSchemaField], r.metaKey())
	} else if schema > redisSchema {
		return redisMeta{}, fmt.Errorf("redis at %s: %w: schema %d, this wxgate knows %d: run the newer wxgate, or use another prefix", r.cfg.where(), ErrNewerSchema, schema, redisSchema)
	}
	index, err := vault{box: box}.open([]byte("meta"), []byte(metaIndexField), []byte(fields[metaIndexField]))
	if errors.Is(err, ErrOtherSecret) {
		return redisMeta{}, fmt.Errorf("redis at %s: %w: %s", r.cfg.where(), ErrOtherSecret, adviseRedisSecret)
	}
	if err != nil {
		return redisMeta{}, fmt.Errorf("redis at %s: %s: %w", r.cfg.where(), r.metaKey(), err)
	}
	v, err := newSharedVault(index)
	if err != nil {
		return redisMeta{}, err
	}
	return redisMeta{vault: v, secret: fields[metaSecretField]}, nil
}

// found writes the index key of a store that has none. After FLUSHALL under
// running replicas it is the one they have, so that they still understand each
// other.
func (r *Redis) found(ctx context.Context, box *seal.Box) error {
	index := newIndexKey()
	if v := r.vault.Load(); v != nil {
		index = v.index
	}
	return r.writeMeta(ctx, box, index, "")
}

// writeMeta seals the index key anew, if it is still sealed as it was.
func (r *Redis) writeMeta(ctx context.Context, box *seal.Box, index []byte, was string) error {
	sealed, err := vault{box: box}.seal([]byte("meta"), []byte(metaIndexField), index)
	if err != nil {
		return err
	}
	key := r.metaKey()
	st := newStep()
	st.holdsField(key, metaIndexField, was)
	st.setField(key, metaIndexField, string(sealed))
	st.setField(key, metaSecretField, box.ID())
	st.setField(key, metaSchemaField, strconv.Itoa(redisSchema))
	wrote, err := r.write(ctx, scriptStep, st.keys, st.args())
	if err == nil && !wrote {
		return errRaced
	}
	return err
}

// reseal has the newest root secret alone open the store from now on.
func (s *RedisStore) reseal(ctx context.Context) error {
	if s.resealed.Load() {
		return nil
	}
	fields, err := s.redis.do(ctx, s.redis.client.B().Hgetall().Key(s.redis.metaKey()).Build()).AsStrMap()
	if err != nil {
		return s.redis.failed(err)
	}
	if fields[metaSecretField] != s.box.ID() {
		meta, err := s.redis.openMeta(fields, s.box)
		if err != nil {
			return unavailable(err)
		}
		err = s.redis.writeMeta(ctx, s.box, meta.vault.index, fields[metaIndexField])
		if err != nil && !errors.Is(err, errRaced) {
			return err
		}
	}
	s.resealed.Store(true)
	return nil
}
