package redis

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

// storedUser is the data of a user that was read from Redis.
type storedUser struct {
	name                 string // the user in keys
	index, keys, revoked string // keys in Redis
	hash                 auth.ErasedUser
	revokedErased        string // key in Redis

	version    string
	persons    []string                // names
	sessions   []layout.IndexedSession // sorted by their beginning; some may have ended
	sealedKeys string
	notAfter   string // Unix milliseconds; empty if there is no revocation
	// notAfterErased is the same of a user who was erased.
	notAfterErased string
}

// readUser reads all data of a user except the records of sessions, in one round trip.
func (s *Store) readUser(ctx context.Context, u auth.User) (*storedUser, error) {
	r := s.redis
	v, shard := r.vault.Load(), u.Shard()
	name, hash := layout.UserName(v, u), v.HashErased(u)
	user := &storedUser{
		name:          name,
		index:         r.key(shard, "u", name),
		keys:          r.key(shard, "k", name),
		revoked:       r.key(shard, "r", name),
		hash:          hash,
		revokedErased: r.key(shard, "r", layout.ErasedName(hash)),
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	res := r.client.DoMulti(ctx,
		r.client.B().Hgetall().Key(user.index).Build(),
		r.client.B().Get().Key(user.keys).Build(),
		r.client.B().Get().Key(user.revoked).Build(),
		r.client.B().Get().Key(user.revokedErased).Build())
	index, err := res[0].AsStrMap()
	if err != nil {
		return nil, r.failed(err)
	}
	for i, value := range []*string{&user.sealedKeys, &user.notAfter, &user.notAfterErased} {
		if *value, err = res[i+1].ToString(); err != nil && !rueidis.IsRedisNil(err) {
			return nil, r.failed(err)
		}
	}
	user.version = index[layout.FieldVersion]
	delete(index, layout.FieldVersion)
	for id, line := range index {
		if person, ok := strings.CutPrefix(id, layout.FieldPerson); ok {
			user.persons = append(user.persons, person)
			continue
		}
		user.sessions = append(user.sessions, layout.ParseIndexLine(id, line))
	}
	slices.SortFunc(user.sessions, layout.IndexedSession.Compare)
	return user, nil
}

// holds checks that no other step has changed the user's sessions or session keys since.
func (u *storedUser) holds(st *step.Step) { st.HoldsField(u.index, layout.FieldVersion, u.version) }

// holdsRevoked checks that the user was not revoked since.
func (u *storedUser) holdsRevoked(st *step.Step) {
	st.Holds(u.revoked, u.notAfter)
	st.Holds(u.revokedErased, u.notAfterErased)
}

// revokedUntil is until when sessions of the user began that are revoked in Redis; the zero
// time without any.
func (u *storedUser) revokedUntil() (notAfter time.Time) {
	for _, ms := range []string{u.notAfter, u.notAfterErased} {
		if ms != "" {
			notAfter = session.Later(notAfter, layout.ParseMillis(ms))
		}
	}
	return notAfter
}

// split returns the sessions that have not ended, and those that have.
func (u *storedUser) split(now time.Time) (live, over []layout.IndexedSession) {
	for _, s := range u.sessions {
		if s.End.After(now) {
			live = append(live, s)
		} else {
			over = append(over, s)
		}
	}
	return live, over
}

// sessionKeys returns a user's session keys; none if all of the user's sessions have ended.
func (u *storedUser) sessionKeys(v *session.Vault, now time.Time) []auth.SessionKey {
	if live, _ := u.split(now); len(live) == 0 {
		return nil
	}
	return v.OpenKeys(layout.PlaceKeys, []byte(u.name), []byte(u.sealedKeys))
}

// putKeys adds the user's session keys to a step. They expire with the last of the user's
// sessions.
func (u *storedUser) putKeys(st *step.Step, v *session.Vault, keys []auth.SessionKey, life time.Duration) error {
	if len(keys) == 0 {
		st.Delete(u.keys)
		return nil
	}
	sealed, err := v.SealKeys(layout.PlaceKeys, []byte(u.name), keys)
	if err != nil {
		return err
	}
	st.Set(u.keys, string(sealed), life)
	return nil
}

// deleteIndex deletes the user from the indexes, once no session is left.
func (u *storedUser) deleteIndex(r *Client, shard byte, st *step.Step) {
	st.Delete(u.index)
	for _, person := range u.persons {
		st.DeleteField(r.key(shard, "p", person), u.name)
	}
}
