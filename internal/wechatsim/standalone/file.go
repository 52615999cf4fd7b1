// Package standalone has what `wxgate sim` adds to the simulator: the file that names its apps
// and users, the defaults, and what is printed.
package standalone

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// maxFile is the longest file that is read, in bytes: some thousand users.
const maxFile = 1 << 20

// ErrFile means that the file of apps and users cannot be used. Its text has the file, the
// place in it and what to change.
var ErrFile = errors.New("simulator file")

// A file is the JSON file of `wxgate sim`. A member that is missing has the default.
type file struct {
	Apps       []fileApp       `json:"apps"`
	Components []fileComponent `json:"components"`
	Users      []fileUser      `json:"users"`
}

// A fileApp is a [wechatsim.App].
type fileApp struct {
	AppID       string             `json:"appid"`
	Secret      string             `json:"secret"`
	Platform    wechatsim.Platform `json:"platform"`
	Kind        simweb.Kind        `json:"kind"` // of wechat; default: a mini program
	Callbacks   []string           `json:"callback_domains"`
	MiniProgram string             `json:"miniprogram"`  // of wecom: the appid in the watermark
	APISecurity *apisecurity.Keys  `json:"api_security"` // default: none
	Push        wechatsim.Push     `json:"push"`         // of wechat; default: no messages are pushed
}

// A fileComponent is a [wechatsim.Component].
type fileComponent struct {
	AppID string   `json:"appid"`
	Apps  []string `json:"apps"` // default: all of WeChat
}

// A fileUser is a person, in one app or in all of them.
type fileUser struct {
	User    string `json:"user"`
	Nick    string `json:"nickname"`
	AppID   string `json:"appid"`  // default: all apps
	OpenID  string `json:"openid"` // requires appid; default: made from user and appid
	UnionID string `json:"unionid"`
	CorpID  string `json:"corpid"`
	Phone   string `json:"phone"`
	Country string `json:"country"`

	RiskRank int `json:"risk_rank"` // what getuserriskrank returns
}

// Load reads the apps, third-party platforms and users of a file. The error is [ErrFile].
func Load(name string) (Setup, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Setup{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if info.Size() > maxFile {
		return Setup{}, fmt.Errorf("%w: %s: %d bytes; at most %d are read", ErrFile, name, info.Size(), maxFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return Setup{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	var in file
	if err := json.Unmarshal(text, &in, json.RejectUnknownMembers(true)); err != nil {
		return Setup{}, fmt.Errorf("%w: %s: %s", ErrFile, name, explain(text, err))
	}
	setup, err := in.setup()
	if err != nil {
		return Setup{}, fmt.Errorf("%w: %s: %w", ErrFile, name, withLine(text, err))
	}
	return setup, nil
}

// explain says where in the text an error is, and what it is.
func explain(text []byte, err error) string {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("line %d: %s: %v", lineOf(text, syntax.ByteOffset), cmp.Or(syntax.JSONPointer, "/"), syntax.Err)
	}
	semantic, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return err.Error()
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Sprintf("line %d: unrecognized member %s; remove it or fix its name", lineOf(text, semantic.ByteOffset), semantic.JSONPointer)
	default:
		return fmt.Sprintf("line %d: %s cannot be a JSON %s", lineOf(text, semantic.ByteOffset), semantic.JSONPointer, semantic.JSONKind)
	}
}

// lineOf returns the line of an offset, counted from 1.
func lineOf(text []byte, offset int64) int {
	line := 1
	for _, b := range text[:min(int(offset), len(text))] {
		if b == '\n' {
			line++
		}
	}
	return line
}

// setup checks a file and fills in the defaults.
func (f file) setup() (Setup, error) {
	out := Default()
	if f.Apps != nil {
		out.Apps = nil
	}
	for i, app := range f.Apps {
		if err := app.check(out.Apps); err != nil {
			return Setup{}, placed{"apps", i, err}
		}
		push, err := app.push()
		if err != nil {
			return Setup{}, placed{"apps", i, fmt.Errorf("app %q: %w", app.AppID, err)}
		}
		out.Apps = append(out.Apps, wechatsim.App{
			ID: app.AppID, Secret: app.Secret, Platform: app.Platform, Kind: app.Kind, Callbacks: app.Callbacks, MiniProgram: app.MiniProgram, Push: push,
		})
		if app.APISecurity != nil {
			out.secured[app.AppID] = *app.APISecurity
		}
	}
	if len(out.Apps) == 0 {
		return Setup{}, errors.New("apps is empty; add an app, or remove the member for the default apps")
	}
	for i, c := range f.Components {
		if err := c.check(out); err != nil {
			return Setup{}, placed{"components", i, err}
		}
		out.Components = append(out.Components, wechatsim.Component{ID: c.AppID, Apps: c.Apps})
	}
	if f.Users != nil {
		out.users = f.Users
	}
	for i, u := range f.Users {
		if err := u.check(out.Apps); err != nil {
			return Setup{}, placed{"users", i, err}
		}
	}
	// The simulator itself finds duplicates and bad numbers.
	if _, err := out.New(); err != nil {
		return Setup{}, err
	}
	return out, nil
}

func (a fileApp) check(others []wechatsim.App) error {
	switch {
	case a.AppID == "":
		return errors.New("appid is required")
	case a.Secret == "":
		return fmt.Errorf("app %q: secret is required; it is the simulator's, so that it need not be a real one", a.AppID)
	case a.Platform != "" && !slices.Contains(wechatsim.Platforms(), a.Platform):
		return fmt.Errorf("app %q: unrecognized platform %q; expected one of: %v", a.AppID, a.Platform, wechatsim.Platforms())
	case a.MiniProgram != "" && a.Platform != wechatsim.WeCom:
		return fmt.Errorf("app %q: miniprogram is only for platform wecom", a.AppID)
	case a.Kind != "" && a.Platform != "" && a.Platform != wechatsim.WeChat:
		return fmt.Errorf("app %q: kind is only for platform wechat", a.AppID)
	case a.Kind != "" && !slices.Contains(simweb.Kinds(), a.Kind):
		return fmt.Errorf("app %q: unrecognized kind %q; expected one of: %v", a.AppID, a.Kind, simweb.Kinds())
	case a.Callbacks != nil && a.Kind == "":
		return fmt.Errorf("app %q: callback_domains is only for the kinds %v", a.AppID, simweb.Kinds())
	case slices.ContainsFunc(a.Callbacks, func(host string) bool { return host == "" || strings.ContainsAny(host, "/:*") }):
		return fmt.Errorf("app %q: callback_domains: expected host names without scheme, port and path, such as \"www.example.com\"", a.AppID)
	case slices.ContainsFunc(others, func(o wechatsim.App) bool { return o.ID == a.AppID }):
		return fmt.Errorf("duplicate app %q", a.AppID)
	}
	return nil
}

// push returns where the app's messages go.
func (a fileApp) push() (wechatsim.Push, error) {
	switch {
	case a.Push == (wechatsim.Push{}):
		return a.Push, nil
	case a.Platform != "" && a.Platform != wechatsim.WeChat:
		return a.Push, errors.New("push is only for platform wechat")
	}
	return a.Push.Check()
}

func (c fileComponent) check(s Setup) error {
	switch {
	case c.AppID == "":
		return errors.New("appid is required")
	case slices.ContainsFunc(s.Components, func(o wechatsim.Component) bool { return o.ID == c.AppID }):
		return fmt.Errorf("duplicate component %q", c.AppID)
	}
	for _, id := range c.Apps {
		if !slices.ContainsFunc(s.Apps, func(a wechatsim.App) bool { return a.ID == id }) {
			return fmt.Errorf("component %q: unknown app %q; add it to apps or fix the appid", c.AppID, id)
		}
	}
	return nil
}

func (u fileUser) check(apps []wechatsim.App) error {
	switch {
	case u.User == "":
		return errors.New("user is required: a name, such as \"alice\"")
	case u.OpenID != "" && u.AppID == "":
		return fmt.Errorf("user %q: openid requires appid, because the openid of a user differs between apps", u.User)
	case u.AppID != "" && !slices.ContainsFunc(apps, func(a wechatsim.App) bool { return a.ID == u.AppID }):
		return fmt.Errorf("user %q: unknown app %q; add it to apps or fix the appid", u.User, u.AppID)
	}
	return nil
}
