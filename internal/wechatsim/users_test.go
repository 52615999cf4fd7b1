package wechatsim_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// TestAddUser adds a user with an openid, a unionid and a number. The name means that user from
// then on, and a phone gives that number.
func TestAddUser(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	bob := wechatsim.User{App: simtest.Apps[0].ID, Name: "bob", OpenID: "oBOB"}
	err := srv.Sim.AddUser(bob, wechatsim.Details{UnionID: "uBOB", Phone: wechatsim.PhoneNumber{Number: "7700900123", Country: "44"}})
	if err != nil {
		t.Fatal(err)
	}
	byName := wechatsim.User{App: bob.App, Name: "bob"}
	if got := simtest.Login(t, srv, byName, wechatsim.Login{}); got.OpenID != "oBOB" || got.UnionID != "uBOB" {
		t.Errorf("login = %+v, want oBOB and uBOB", got)
	}
	code, err := srv.Sim.MintPhoneCode(byName, wechatsim.PhoneNumber{})
	if err != nil {
		t.Fatal(err)
	}
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	if got := simtest.Phone(t, srv, token, `{"code":"`+code.Code+`"}`).PhoneInfo.PhoneNumber; got != "+447700900123" {
		t.Errorf("phoneNumber = %q, want the number of the user", got)
	}
	users := srv.Sim.Users()
	if len(users) != 1 || users[0].User != bob || users[0].UnionID != "uBOB" || users[0].SessionKey == "" || users[0].Phone.Country != "44" {
		t.Errorf("users = %+v, want bob alone, logged in", users)
	}
}

// TestUsersAreNamed makes login codes for users that were not added: one by name, one by openid.
func TestUsersAreNamed(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{Apps: simtest.Apps})
	for _, u := range []wechatsim.User{{Name: "dave"}, {OpenID: "oERIN", Name: "ignored"}, {}} {
		if _, err := sim.MintCode(u, wechatsim.Login{}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, u := range sim.Users() {
		names = append(names, u.Name+"/"+u.OpenID)
	}
	app := simtest.Apps[0].ID
	want := []string{"/oERIN", "alice/" + wechatsim.OpenIDFor(app, "alice"), "dave/" + wechatsim.OpenIDFor(app, "dave")}
	if !slices.Equal(names, want) {
		t.Errorf("users %v, want %v", names, want)
	}
}

func TestAddUserRefuses(t *testing.T) {
	t.Parallel()
	sim := wechatsim.New(wechatsim.Config{Apps: simtest.Apps})
	if err := sim.AddUser(wechatsim.User{Name: "bob"}, wechatsim.Details{}); err != nil {
		t.Fatal(err)
	}
	bad := wechatsim.Details{Phone: wechatsim.PhoneNumber{Number: "one"}}
	for _, test := range []struct {
		user    wechatsim.User
		details wechatsim.Details
		want    error
	}{
		{wechatsim.User{Name: "bob"}, wechatsim.Details{}, wechatsim.ErrDuplicateUser},
		{wechatsim.User{Name: "bob", OpenID: "other"}, wechatsim.Details{}, wechatsim.ErrDuplicateUser},
		{wechatsim.User{OpenID: wechatsim.OpenIDFor(simtest.Apps[0].ID, "bob")}, wechatsim.Details{}, wechatsim.ErrDuplicateUser},
		{wechatsim.User{App: "wxnone"}, wechatsim.Details{}, wechatsim.ErrUnknownApp},
		{wechatsim.User{Name: "carol"}, bad, wechatsim.ErrBadPhone},
	} {
		if err := sim.AddUser(test.user, test.details); !errors.Is(err, test.want) {
			t.Errorf("AddUser(%+v) = %v, want %v", test.user, err, test.want)
		}
	}
	if got := len(sim.Users()); got != 1 {
		t.Errorf("%d users, want 1: refused users were added", got)
	}
}
