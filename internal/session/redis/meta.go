package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
)

const adviseSecret = "configure the same root secret on every replica (`secret {file./path}`), with an old one after the new one (secret <new> <old>); for a separate gateway on the same Redis, set another prefix"

// storeMeta is what a store in Redis says of itself.
type storeMeta struct {
	vault  *session.Vault
	secret string // names the root secret that opens it
}

// errRaced is that another replica wrote first.
var errRaced = errors.New("another replica wrote first")

// newSharedVault makes the vault of a store that replicas share. Records are
// sealed under its index key and not under the root secret itself, which seals
// that key: while the root secret is rotated, replicas that have the new one
// already and those that have not yet read each other's records.
func newSharedVault(index []byte) (*session.Vault, error) {
	box, err := seal.New(index)
	if err != nil {
		return nil, fmt.Errorf("%w: the index key: %w", session.ErrCorrupt, err)
	}
	return &session.Vault{Box: box, IndexKey: index}, nil
}

// readMeta opens the store with the root secrets of box, and makes one where
// there is none. It writes nothing to one that is there: the first write of a
// [Store] seals anew what a rotated root secret left behind.
func (r *Client) readMeta(ctx context.Context, box *seal.Box) (storeMeta, error) {
	for range maxAttempts {
		fields, err := r.client.Send(ctx, r.client.B().Hgetall().Key(r.metaKey()).Build()).AsStrMap()
		if err != nil {
			return storeMeta{}, r.failed(err)
		}
		if fields[metaIndexField] != "" {
			return r.openMeta(fields, box)
		}
		if err := r.initMeta(ctx, box); err != nil && !errors.Is(err, errRaced) {
			return storeMeta{}, err
		}
	}
	return storeMeta{}, session.Unavailable(errContended)
}

func (r *Client) openMeta(fields map[string]string, box *seal.Box) (storeMeta, error) {
	if schema, err := strconv.Atoi(fields[metaSchemaField]); err != nil || schema < 1 {
		return storeMeta{}, fmt.Errorf("redis at %s: %w: schema %q in %s", r.client.Where(), session.ErrCorrupt, fields[metaSchemaField], r.metaKey())
	} else if schema > schemaVersion {
		return storeMeta{}, fmt.Errorf("redis at %s: %w: schema %d, this wxgate supports %d: run the newer wxgate, or set another prefix", r.client.Where(), session.ErrNewerSchema, schema, schemaVersion)
	}
	index, err := session.Vault{Box: box}.Open([]byte("meta"), []byte(metaIndexField), []byte(fields[metaIndexField]))
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
	return storeMeta{vault: v, secret: fields[metaSecretField]}, nil
}

// initMeta writes the index key of a store that has none. After FLUSHALL under
// running replicas it is the one they have, so that they still understand each
// other.
func (r *Client) initMeta(ctx context.Context, box *seal.Box) error {
	index := session.NewIndexKey()
	if v := r.vault.Load(); v != nil {
		index = v.IndexKey
	}
	return r.writeMeta(ctx, box, index, "")
}

// writeMeta seals the index key anew, if it is still sealed as it was.
func (r *Client) writeMeta(ctx context.Context, box *seal.Box, index []byte, was string) error {
	sealed, err := session.Vault{Box: box}.Seal([]byte("meta"), []byte(metaIndexField), index)
	if err != nil {
		return err
	}
	key := r.metaKey()
	st := newStep()
	st.holdsField(key, metaIndexField, was)
	st.setField(key, metaIndexField, string(sealed))
	st.setField(key, metaSecretField, box.ID())
	st.setField(key, metaSchemaField, strconv.Itoa(schemaVersion))
	wrote, err := r.write(ctx, scriptStep, st.keys, st.args())
	if err == nil && !wrote {
		return errRaced
	}
	return err
}

// reseal has the newest root secret alone open the store from now on.
func (s *Store) reseal(ctx context.Context) error {
	if s.resealed.Load() {
		return nil
	}
	fields, err := s.redis.client.Send(ctx, s.redis.client.B().Hgetall().Key(s.redis.metaKey()).Build()).AsStrMap()
	if err != nil {
		return s.redis.failed(err)
	}
	if fields[metaSecretField] != s.box.ID() {
		meta, err := s.redis.openMeta(fields, s.box)
		if err != nil {
			return session.Unavailable(err)
		}
		err = s.redis.writeMeta(ctx, s.box, meta.vault.IndexKey, fields[metaIndexField])
		if err != nil && !errors.Is(err, errRaced) {
			return err
		}
	}
	s.resealed.Store(true)
	return nil
}
