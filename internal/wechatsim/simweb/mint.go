package simweb

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// codeLifetime is how long a code is valid.
	codeLifetime = 5 * time.Minute

	// codeMemory is how long after that a used code is refused as used.
	codeMemory = time.Hour
)

// ErrBadLogin means that an app cannot log a user in like that.
var ErrBadLogin = errors.New("bad web login")

// A Login is how a user logs in to an app.
type Login struct {
	Scope    string // default: the one that returns the profile
	Snapshot bool   // the page is open as a snapshot (快照页): the user is a virtual one
}

// A code is the result of a login, which the app's server exchanges once.
type code struct {
	app     string
	openid  string
	scope   string
	expires time.Time
	used    bool
	virtual *Person // of a snapshot; default: the user of openid
}

// A Minted is a new code.
type Minted struct {
	Code    string
	OpenID  string
	Expires time.Time
}

// Mint logs a user of an app in, without a page, and returns the code. The error is
// [ErrBadLogin].
func (w *Web) Mint(appid string, who Person, l Login) (Minted, error) {
	app, err := w.webApp(appid)
	if err != nil {
		return Minted{}, err
	}
	allowed := scopes[app.Kind]
	l.Scope = cmp.Or(l.Scope, allowed[len(allowed)-1])
	switch {
	case !slices.Contains(allowed, l.Scope):
		return Minted{}, fmt.Errorf("%w: unrecognized scope %q; expected one of: %v", ErrBadLogin, l.Scope, allowed)
	case l.Snapshot && app.Kind != Official:
		return Minted{}, fmt.Errorf("%w: only pages inside WeChat are open as a snapshot", ErrBadLogin)
	}
	return w.mint(app, who, l), nil
}

// mint makes a code. The user of a snapshot has an openid, a unionid and a name that are no
// person's, and others the next time.
func (w *Web) mint(app App, who Person, l Login) Minted {
	now := w.accounts.Now()
	c := &code{app: app.ID, openid: who.OpenID, scope: l.Scope, expires: now.Add(codeLifetime)}
	if l.Snapshot {
		c.virtual = &Person{OpenID: virtualID(), UnionID: virtualID(), NickName: "微信用户"}
		c.openid = c.virtual.OpenID
	}
	value := "0" + (rand.Text() + rand.Text())[:31]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.codes.Put(value, c, now, c.expires.Add(codeMemory))
	return Minted{Code: value, OpenID: c.openid, Expires: c.expires}
}

// virtualID returns an openid or unionid of no person, in the form of real ones.
func virtualID() string { return "o" + (rand.Text() + rand.Text())[:27] }
