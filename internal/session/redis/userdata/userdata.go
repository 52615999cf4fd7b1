// Package userdata reads the data of one user in Redis, apart from the records of the user's
// sessions, and adds changes of this data to a step.
package userdata

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

// User is the data of a user that was read from Redis.
type User struct {
	Name string // the user in keys
	Hash auth.ErasedUser
	// Keys in Redis.
	Index, Keys, Revoked, RevokedErased string

	Sessions []layout.IndexedSession // sorted by their start; some may have ended

	key        func(parts ...string) string // a key in the slot of the user
	version    string
	persons    []string // names
	sealedKeys string
	notAfter   string // Unix milliseconds; empty if there is no revocation
	// notAfterErased is the same for the user as an erased user.
	notAfterErased string
}

// Read reads a user in one round trip; key returns a key in the slot of the user.
func Read(ctx context.Context, client rueidis.Client, v *session.Vault, u auth.User, key func(parts ...string) string) (*User, error) {
	name, hash := layout.UserName(v, u), v.HashErased(u)
	user := &User{
		Name: name, Hash: hash, key: key,
		Index: key("u", name), Keys: key("k", name), Revoked: key("r", name), RevokedErased: key("r", layout.ErasedName(hash)),
	}
	res := client.DoMulti(ctx,
		client.B().Hgetall().Key(user.Index).Build(),
		client.B().Get().Key(user.Keys).Build(),
		client.B().Get().Key(user.Revoked).Build(),
		client.B().Get().Key(user.RevokedErased).Build())
	index, err := res[0].AsStrMap()
	if err != nil {
		return nil, err //nolint:wrapcheck // the store explains it
	}
	for i, value := range []*string{&user.sealedKeys, &user.notAfter, &user.notAfterErased} {
		if *value, err = res[i+1].ToString(); err != nil && !rueidis.IsRedisNil(err) {
			return nil, err //nolint:wrapcheck // the store explains it
		}
	}
	user.version = index[layout.FieldVersion]
	delete(index, layout.FieldVersion)
	for id, line := range index {
		if person, ok := strings.CutPrefix(id, layout.FieldPerson); ok {
			user.persons = append(user.persons, person)
			continue
		}
		user.Sessions = append(user.Sessions, layout.ParseIndexLine(id, line))
	}
	slices.SortFunc(user.Sessions, layout.IndexedSession.Compare)
	return user, nil
}

// ExpectSessions checks that no other step has changed the user's sessions or session keys
// since they were read.
func (u *User) ExpectSessions(st *step.Step) { st.ExpectField(u.Index, layout.FieldVersion, u.version) }

// ExpectRevocations checks that the user was not revoked since then.
func (u *User) ExpectRevocations(st *step.Step) {
	st.Expect(u.Revoked, u.notAfter)
	st.Expect(u.RevokedErased, u.notAfterErased)
}

// RevokedUntil returns until when the user is revoked in Redis, which covers the sessions that
// began until then; the zero time without a revocation.
func (u *User) RevokedUntil() (notAfter time.Time) {
	for _, ms := range []string{u.notAfter, u.notAfterErased} {
		if ms != "" {
			notAfter = session.Later(notAfter, layout.ParseMillis(ms))
		}
	}
	return notAfter
}

// Split returns the sessions that have not ended, and those that have.
func (u *User) Split(now time.Time) (live, expired []layout.IndexedSession) {
	for _, s := range u.Sessions {
		if s.End.After(now) {
			live = append(live, s)
		} else {
			expired = append(expired, s)
		}
	}
	return live, expired
}

// SessionKeys returns a user's session keys; none if all of the user's sessions have ended.
func (u *User) SessionKeys(v *session.Vault, now time.Time) []auth.SessionKey {
	if live, _ := u.Split(now); len(live) == 0 {
		return nil
	}
	return v.OpenKeys(layout.PlaceKeys, []byte(u.Name), []byte(u.sealedKeys))
}

// PutKeys adds the user's session keys to a step. They expire with the last of the user's
// sessions.
func (u *User) PutKeys(st *step.Step, v *session.Vault, keys []auth.SessionKey, life time.Duration) error {
	if len(keys) == 0 {
		st.Delete(u.Keys)
		return nil
	}
	sealed, err := v.SealKeys(layout.PlaceKeys, []byte(u.Name), keys)
	if err != nil {
		return err //nolint:wrapcheck // the store explains it
	}
	st.Set(u.Keys, string(sealed), life)
	return nil
}

// DeleteIndex deletes the user from the indexes, once no session is left.
func (u *User) DeleteIndex(st *step.Step) {
	st.Delete(u.Index)
	for _, person := range u.persons {
		st.DeleteField(u.key("p", person), u.Name)
	}
}

// Uncount stops counting sessions that a step ends. The user counts until the last of the
// remaining sessions ends.
func (u *User) Uncount(st *step.Step, ended []auth.SessionID, left []layout.IndexedSession) {
	for _, id := range ended {
		st.Uncount(u.key(layout.CountedSessions), string(id))
	}
	if len(left) > 0 {
		st.Recount(u.key(layout.CountedUsers), u.Name, layout.LastEnd(left))
	} else {
		st.Uncount(u.key(layout.CountedUsers), u.Name)
	}
}

// UncountAll stops counting the user and all of the user's sessions.
func (u *User) UncountAll(st *step.Step) {
	for _, s := range u.Sessions {
		st.Uncount(u.key(layout.CountedSessions), string(s.ID))
	}
	st.Uncount(u.key(layout.CountedUsers), u.Name)
}
