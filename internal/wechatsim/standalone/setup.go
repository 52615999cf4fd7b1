package standalone

import (
	"fmt"
	"slices"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
)

// A Setup is what a simulator knows from the start. [Default] and [Load] return one.
type Setup struct {
	Apps       []wechatsim.App
	Components []wechatsim.Component

	users   []fileUser
	secured map[string]apisecurity.Keys // by appid: those with API security
}

// secondApp is a second mini program on WeChat: the appids of the default apps end in 1, and 2
// is the one in the watermark of WeCom's.
var secondApp = wechatsim.App{ID: "wx0000000000000003", Secret: "00000000000000000000000000000003"}

// defaultUsers are the users of every default app, with their nicknames.
var defaultUsers = [][2]string{{"alice", "爱丽丝"}, {"bob", "小波 Bob"}, {"carol", "Carol"}}

// Default returns two mini programs on WeChat and one on each other platform, an official account
// and a website, with the same three users. A user has one unionid in the apps on WeChat.
func Default() Setup {
	out := Setup{secured: map[string]apisecurity.Keys{}, Apps: slices.Concat([]wechatsim.App{wechatsim.DefaultApp, secondApp}, wechatsim.Siblings(), wechatsim.WebApps())}
	for _, user := range defaultUsers {
		out.users = append(out.users, fileUser{User: user[0], Nick: user[1], UnionID: wechatsim.OpenIDFor("unionid", user[0])})
	}
	return out
}

// New returns a simulator with the apps, the third-party platforms and the users. A user without
// an appid becomes a user of every app, with the unionid in those on WeChat alone: the unionids
// of other platforms are other people's.
func (s Setup) New() (*wechatsim.Sim, error) {
	sim := wechatsim.New(wechatsim.Config{Apps: s.Apps, Components: s.Components})
	for app, keys := range s.secured {
		if _, err := sim.Secure(app, keys); err != nil {
			return nil, fmt.Errorf("app %q: api_security: %w", app, err)
		}
	}
	for i, u := range s.users {
		for _, app := range sim.Apps() {
			if u.AppID != "" && u.AppID != app.ID {
				continue
			}
			details := wechatsim.Details{CorpID: u.CorpID, Phone: wechatsim.PhoneNumber{Number: u.Phone, Country: u.Country}, RiskRank: u.RiskRank, NickName: u.Nick}
			if u.AppID != "" || app.Platform == wechatsim.WeChat {
				details.UnionID = u.UnionID
			}
			if err := sim.AddUser(wechatsim.User{App: app.ID, OpenID: u.OpenID, Name: u.User}, details); err != nil {
				return nil, placed{"users", i, fmt.Errorf("user %q: %w", u.User, err)}
			}
		}
	}
	return sim, nil
}
