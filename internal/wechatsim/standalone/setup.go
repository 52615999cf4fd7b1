package standalone

import (
	"fmt"

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

// defaultNames are the users of every default app.
var defaultNames = []string{"alice", "bob", "carol"}

// Default returns two mini programs on WeChat and one on each other platform, with the same
// three users. A user has one unionid in both apps on WeChat.
func Default() Setup {
	out := Setup{secured: map[string]apisecurity.Keys{}, Apps: append([]wechatsim.App{wechatsim.DefaultApp, secondApp}, wechatsim.Siblings()...)}
	for _, name := range defaultNames {
		out.users = append(out.users, fileUser{User: name, UnionID: wechatsim.OpenIDFor("unionid", name)})
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
			details := wechatsim.Details{CorpID: u.CorpID, Phone: wechatsim.PhoneNumber{Number: u.Phone, Country: u.Country}, RiskRank: u.RiskRank}
			if u.AppID != "" || app.Platform == wechatsim.WeChat {
				details.UnionID = u.UnionID
			}
			if err := sim.AddUser(wechatsim.User{App: app.ID, OpenID: u.OpenID, Name: u.User}, details); err != nil {
				return nil, fmt.Errorf("users[%d]: user %q: %w", i, u.User, err)
			}
		}
	}
	return sim, nil
}
