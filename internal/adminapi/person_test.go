package adminapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/memory"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/tokentest"
	"github.com/wxgate/wxgate/internal/wechat"
)

const personOfTests = auth.UnionID("ocMvos6NjeKLIBqg5Mr9QjxrP1FA")

// doors has one person's sessions through every door. It also has sessions of other persons,
// with the same unionid, with another or without.
type doors struct {
	rt      *gateway.Runtime
	store   *memory.Store
	phone   auth.SessionID
	persons []*auth.Session // the person's
	others  []*auth.Session
}

// newDoors has a mini program, an official account and a website at WeChat, and an official
// account whose API is at a hostile host.
func newDoors(t *testing.T) *doors {
	t.Helper()
	box, err := seal.New([]byte(strings.Repeat("root secret ", 4)))
	must(t, err)
	ring, err := keyring.Open(t.Context(), keyring.Config{Storage: new(tokentest.Storage), Box: box, Issuer: "wxgate", Audiences: []string{"wxgate"}, Access: time.Hour})
	must(t, err)
	tokens, err := token.New(token.Config{Ring: ring, Box: box})
	must(t, err)
	t.Cleanup(tokens.Close)
	store := memory.New(time.Now, session.Options{})
	t.Cleanup(func() { must(t, store.Close()) })
	d := &doors{store: store, rt: &gateway.Runtime{Tokens: tokens, Store: store, Revocations: store.Revocations(), Platforms: map[auth.AppID]*wechat.Client{}}}
	apps, scopes := map[auth.AppID]auth.Platform{}, map[auth.AppID]auth.Scope{}
	for _, config := range []wechat.Config{
		{AppID: "wxmini"}, {AppID: "wxofficial", Kind: wechat.Official}, {AppID: "wxwebsite", Kind: wechat.Website},
		{AppID: "wxhostile", Kind: wechat.Official, API: "https://evil.example.com"}, {AppID: "wxqq", Platform: wechat.QQ},
	} {
		config.Secret = "secret"
		client, err := wechat.New(config)
		must(t, err)
		t.Cleanup(client.Close)
		d.rt.Platforms[config.AppID], apps[config.AppID], scopes[config.AppID] = client, client, client.Scope()
	}
	d.rt.Service = auth.NewService(auth.Config{
		Apps: apps, Scopes: scopes, Tokens: tokens, Store: store, Revocations: d.rt.Revocations, Browsers: true, Access: time.Hour,
	})
	d.phone = d.begin(t, &d.persons, "wxmini", auth.DoorMiniProgram, personOfTests, "")
	d.begin(t, &d.persons, "wxmini", auth.DoorWebView, personOfTests, d.phone)
	d.begin(t, &d.persons, "wxmini", auth.DoorScan, personOfTests, "")
	d.begin(t, &d.persons, "wxofficial", auth.DoorOfficial, personOfTests, "")
	d.begin(t, &d.persons, "wxwebsite", auth.DoorWebsite, personOfTests, "")
	d.begin(t, &d.others, "wxhostile", auth.DoorOfficial, personOfTests, "")
	d.begin(t, &d.others, "wxqq", auth.DoorMiniProgram, personOfTests, "")
	d.begin(t, &d.others, "wxofficial", auth.DoorOfficial, "", "") // a login with scope base, whose unionid is unknown
	d.begin(t, &d.others, "wxwebsite", auth.DoorWebsite, "ocMvos6NjeKLIBqg5Mr9QjxrP1FB", "")
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin begins a session of an app: of the person's user or, for d.others, of another user.
func (d *doors) begin(t *testing.T, of *[]*auth.Session, app auth.AppID, door auth.Door, u auth.UnionID, parent auth.SessionID) auth.SessionID {
	t.Helper()
	user, now := auth.User{App: app, OpenID: "o-" + auth.OpenID(app)}, time.Now()
	if of == &d.others {
		user.OpenID += "-other"
	}
	s := &auth.Session{
		ID: auth.NewSessionID(now, user), User: user, UnionID: u, Door: door, Parent: parent,
		CreatedAt: now, AbsoluteEnd: now.Add(time.Hour), IdleEnd: now.Add(time.Hour), AccessEnd: now.Add(time.Hour),
	}
	_, err := d.store.Create(t.Context(), s, auth.SessionKey{}, auth.SessionLimit{})
	must(t, err)
	*of = append(*of, s)
	return s.ID
}

// wantEnded checks that all of the sessions have ended, or that none has.
func (d *doors) wantEnded(t *testing.T, sessions []*auth.Session, want bool) {
	t.Helper()
	for _, s := range sessions {
		_, err := d.store.Session(t.Context(), s.ID)
		revoked := d.rt.Revocations.Revoked(&auth.Identity{User: s.User, Session: s.ID})
		if errors.Is(err, auth.ErrNoSession) != want || revoked != want {
			t.Errorf("%s of %s: %v, revoked %t; want ended %t", s.Door, s.User.App, err, revoked, want)
		}
	}
}

// TestShowPerson: one person has a user in each app and a session for each door, with the
// pseudonyms of the logs. Users of other API hosts with the same unionid are other persons.
func TestShowPerson(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	for _, app := range []auth.AppID{"wxmini", "wxofficial", "wxwebsite"} {
		in := PersonRequest{App: app, UnionID: personOfTests}
		person, err := showPerson(t.Context(), d.rt, in)
		must(t, err)
		if fields := in.Subject(d.rt); person.UnionID != personOfTests || !slices.Contains(fields, zap.String("person_id", person.PersonID)) {
			t.Errorf("%s: person %q, %q; the audit log has %v", app, person.UnionID, person.PersonID, fields)
		}
		var got []string
		for _, user := range person.Users {
			if user.UserID != d.rt.Tokens.Pseudonym(auth.User{App: user.App, OpenID: user.OpenID}) {
				t.Errorf("user_id %q of %s", user.UserID, user.OpenID)
			}
			for _, s := range user.Sessions {
				line := string(user.OpenID) + " " + s.Door
				if s.Parent == d.phone {
					line += " of the phone"
				}
				got = append(got, line)
			}
		}
		slices.Sort(got)
		want := []string{"o-wxmini miniprogram", "o-wxmini scan", "o-wxmini webview of the phone", "o-wxofficial official", "o-wxwebsite website"}
		if !slices.Equal(got, want) || len(person.Users) != 3 {
			t.Errorf("%s: %d users with %q, want %q", app, len(person.Users), got, want)
		}
	}
	person, err := showPerson(t.Context(), d.rt, PersonRequest{App: "wxhostile", UnionID: personOfTests})
	if err != nil || len(person.Users) != 1 || person.Users[0].OpenID != "o-wxhostile-other" {
		t.Errorf("of another API host: %+v, %v", person.Users, err)
	}
}

func TestShowPersonRefuses(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	for name, row := range map[string]struct {
		in     PersonRequest
		want   error
		status int
	}{
		"no unionid":         {PersonRequest{App: "wxmini"}, auth.ErrInvalidRequest, http.StatusBadRequest},
		"malformed unionid":  {PersonRequest{App: "wxmini", UnionID: "a b"}, auth.ErrInvalidRequest, http.StatusBadRequest},
		"no app":             {PersonRequest{UnionID: personOfTests}, auth.ErrInvalidRequest, http.StatusBadRequest},
		"an unknown app":     {PersonRequest{App: "wx9", UnionID: personOfTests}, ErrUnknownApp, http.StatusNotFound},
		"an unknown unionid": {PersonRequest{App: "wxmini", UnionID: "u"}, auth.ErrNoPerson, http.StatusNotFound},
	} {
		if person, err := showPerson(t.Context(), d.rt, row.in); !errors.Is(err, row.want) || statusOf(err) != row.status {
			t.Errorf("%s: %+v, %v with status %d; want %v", name, person, err, statusOf(err), row.want)
		}
	}
}

// TestPersonEveryDoor: logout and erasure by unionid end the sessions of every door, and none of
// another person. A hostile API that returns the unionid of a user at WeChat ends no session of
// that user.
func TestPersonEveryDoor(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*doors, UsersRequest) (int, error){
		"logout": func(d *doors, in UsersRequest) (int, error) {
			done, err := logoutUser(t.Context(), d.rt, in)
			if err != nil {
				return 0, err
			}
			return *done.Ended, nil
		},
		"erase": func(d *doors, in UsersRequest) (int, error) {
			receipt, err := eraseUsers(t.Context(), d.rt, in)
			return receipt.Sessions, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoors(t)
			if n, err := end(d, UsersRequest{App: "wxhostile", UnionID: personOfTests}); n != 1 || err != nil {
				t.Errorf("by the app of another API host: %d sessions, %v; want 1, of that app", n, err)
			}
			d.wantEnded(t, d.persons, false)
			d.wantEnded(t, d.others[1:], false)
			if n, err := end(d, UsersRequest{App: "wxofficial", UnionID: personOfTests}); n != len(d.persons) || err != nil {
				t.Errorf("%d sessions, %v; want those of every door, %d", n, err, len(d.persons))
			}
			d.wantEnded(t, d.persons, true)
			d.wantEnded(t, d.others[1:], false)
		})
	}
}
