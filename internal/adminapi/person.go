package adminapi

import (
	"cmp"
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
)

// PersonRequest names a person.
type PersonRequest struct {
	App     auth.AppID   `json:"app" jsonschema:"the appid of any app on the platform and API host of the unionid"`
	UnionID auth.UnionID `json:"unionid"`
}

// Person is what is stored about the users of a person who are logged in: one user in each app,
// through any door.
type Person struct {
	UnionID  auth.UnionID `json:"unionid"`
	PersonID string       `json:"person_id" jsonschema:"the person in the audit log"`
	Users    []User       `json:"users" jsonschema:"by app"`
}

// ShowPerson is the call that shows a person.
var ShowPerson = post("person/show", "show every user of a person who is logged in, with their sessions, on the platform and API host of the app; app, unionid", audited, showPerson)

func (r PersonRequest) users() UsersRequest { return UsersRequest{App: r.App, UnionID: r.UnionID} }

// Subject implements [Subject].
func (r PersonRequest) Subject(rt *gateway.Runtime) []zap.Field { return r.users().Subject(rt) }

// personID returns the name of a person in the audit log. It is a pseudonym with an empty appid,
// which no app has, so that it differs from those of all users.
func personID(rt *gateway.Runtime, u auth.UnionID) string {
	return rt.Tokens.Pseudonym(auth.User{OpenID: auth.OpenID(u)})
}

// usersOf returns the users of the person whom a request names.
func usersOf(ctx context.Context, rt *gateway.Runtime, r UsersRequest) ([]auth.User, error) {
	if err := r.check(rt); err != nil {
		return nil, err
	}
	users, err := rt.Service.UsersOf(ctx, r.App, r.UnionID)
	slices.SortFunc(users, func(a, b auth.User) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.OpenID, b.OpenID)) })
	return users, err
}

func showPerson(ctx context.Context, rt *gateway.Runtime, in PersonRequest) (Person, error) {
	users, err := usersOf(ctx, rt, in.users())
	if err != nil {
		return Person{}, err
	}
	person := Person{UnionID: in.UnionID, PersonID: personID(rt, in.UnionID)}
	for _, user := range users {
		record, err := rt.Service.User(ctx, user)
		if err != nil {
			return Person{}, err
		}
		if len(record.Sessions) > 0 { // or they ended meanwhile
			person.Users = append(person.Users, userOf(rt, user, record))
		}
	}
	if len(person.Users) == 0 {
		return Person{}, auth.ErrNoPerson
	}
	return person, nil
}
