package caddymodule

import (
	"errors"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
)

// requirement is a compiled [Requirement].
type requirement struct {
	what  string
	apps  map[auth.AppID]struct{}
	paths edge.LenientSet
}

const (
	requirePhone   = "phone"
	requireUnionID = "unionid"
	requireApp     = "app"
)

func newRequirements(configured []Requirement, app *App) ([]requirement, error) {
	var compiled []requirement
	for _, c := range configured {
		r := requirement{what: c.What}
		paths, err := edge.NewPathSet(c.Paths)
		if err != nil {
			return nil, fmt.Errorf("require %s: %w", c.What, err)
		}
		r.paths = paths.Lenient()
		switch {
		case len(c.Paths) == 0:
			return nil, fmt.Errorf("require %s: name the paths: on <path>", c.What)
		case c.What == requireApp && len(c.Apps) > 0:
			if r.apps, err = app.admitted(c.Apps); err != nil {
				return nil, err
			}
		case c.What == requireApp:
			return nil, errors.New("require app: name the appids")
		case c.What != requirePhone && c.What != requireUnionID:
			return nil, fmt.Errorf("unrecognized requirement %q; expected one of: phone, unionid, app", c.What)
		}
		compiled = append(compiled, r)
	}
	return compiled, nil
}

// check returns the error that names what the identity lacks on this path.
func (r requirement) check(id *auth.Identity, path edge.Path) error {
	if !r.paths.Match(path) {
		return nil
	}
	switch r.what {
	case requirePhone:
		if id.Phone == "" {
			return auth.ErrPhoneRequired
		}
	case requireUnionID:
		if id.UnionID == "" {
			return auth.ErrUnionIDRequired
		}
	case requireApp:
		if _, ok := r.apps[id.App]; !ok {
			return fmt.Errorf("%w: this path is closed to app %q", auth.ErrAppNotAdmitted, id.App)
		}
	}
	return nil
}
