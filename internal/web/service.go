package web

import (
	"context"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
)

// identityLife is how long a session's identity may be used after the last read of the store,
// like an access token: open responses end then. The write that extends it also extends the
// idle end of the session, so there is one write an hour.
const identityLife = time.Hour + cacheLife

// Config configures a [Service]. Every field except Now is required.
type Config struct {
	Sessions  *auth.Service
	Records   Records
	Box       *seal.Box
	Pseudonym func(auth.User) string // of a user in logs

	Now func() time.Time // default time.Now
}

// Service implements the rules. It is safe for concurrent use.
type Service struct {
	cfg   Config
	cache *cache
}

// New returns a service, which the caller must close.
func New(cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c, err := newCache()
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, cache: c}, nil
}

// Close stops the service's goroutines.
func (s *Service) Close() { s.cache.close() }

// Client describes the browser or phone that sent a request.
type Client struct {
	Device  auth.Device
	Address string // its IP address
}

// Opened is a browser session that just began.
type Opened struct {
	Session *auth.Session
	Cookie  Cookie
	Ended   []auth.SessionID // the user's sessions that the new session ended
}

// Life returns how long the browser keeps the cookie.
func (o *Opened) Life() time.Duration { return o.Session.AbsoluteEnd.Sub(o.Session.CreatedAt) }

// Identity returns the identity of the session.
func (o *Opened) Identity() *auth.Identity {
	return &auth.Identity{User: o.Session.User, Session: o.Session.ID}
}

// Login exchanges a code of WeChat's sign-in and begins a session.
func (s *Service) Login(ctx context.Context, door auth.Door, app auth.AppID, code string, device auth.Device) (*Opened, error) {
	cookie := newCookie()
	first := s.first(cookie, door, device)
	first.User.App = app
	session, ended, err := s.cfg.Sessions.LoginBrowser(ctx, first, code)
	return opened(cookie, session, ended, err)
}

// derive begins a session for the user of another session.
func (s *Service) derive(ctx context.Context, from, parent auth.SessionID, door auth.Door, device auth.Device) (*Opened, error) {
	cookie := newCookie()
	first := s.first(cookie, door, device)
	first.Parent = parent
	session, ended, err := s.cfg.Sessions.DeriveBrowser(ctx, from, first)
	return opened(cookie, session, ended, err)
}

// first returns a session that begins with a cookie.
func (s *Service) first(cookie Cookie, door auth.Door, device auth.Device) auth.Session {
	return auth.Session{Door: door, Device: device, AccessEnd: s.cfg.Now().Add(identityLife), Refresh: auth.RefreshState{Current: cookie.digest()}}
}

func opened(cookie Cookie, session *auth.Session, ended []auth.SessionID, err error) (*Opened, error) {
	if err != nil {
		return nil, err
	}
	cookie.Session = session.ID
	return &Opened{session, cookie, ended}, nil
}

// Authenticate decides whether a session cookie admits its browser now:
// [auth.ErrInvalidToken], [auth.ErrSessionRevoked] or [auth.ErrSessionReplaced] when it does
// not. It reads the store if it has not read the session for a while.
func (s *Service) Authenticate(ctx context.Context, value string) (*auth.Identity, error) {
	key := digestOf(value)
	id := s.cache.get(key)
	if id == nil {
		cookie, err := ParseCookie(value)
		if err != nil {
			return nil, err
		}
		if id, err = s.load(ctx, cookie); err != nil {
			return nil, err
		}
		s.cache.put(key, id, s.cfg.Now())
	}
	if err := s.cfg.Sessions.Revoked(id); err != nil {
		return nil, err
	}
	return id, nil
}

// load reads the session of a cookie. It extends the session before it ends: once an hour, and
// more often only for sessions whose idle time is about that long.
func (s *Service) load(ctx context.Context, cookie Cookie) (*auth.Identity, error) {
	session, err := s.cfg.Sessions.Live(ctx, cookie.Session)
	if err != nil {
		return nil, err
	}
	if !cookie.opens(session) {
		return nil, fmt.Errorf("%w: not the cookie of session %s", auth.ErrInvalidToken, cookie.Session)
	}
	now := s.cfg.Now()
	if session.AccessEnd.Before(now.Add(cacheLife)) || session.IdleEnd.Before(now.Add(identityLife)) {
		if session, err = s.cfg.Sessions.Extend(ctx, session.ID, now.Add(identityLife), true); err != nil {
			return nil, err
		}
	}
	id := &auth.Identity{
		User: session.User, UnionID: session.UnionID, Session: session.ID, Parent: session.Parent, Browser: true, Phone: session.Phone, Risk: session.Risk,
		Pseudonym: s.cfg.Pseudonym(session.User), IssuedAt: session.CreatedAt, Expires: earlier(session.AccessEnd, session.End()),
	}
	return id, s.limitToParent(ctx, id, session.AccessEnd)
}

// limitToParent refuses a child whose parent has ended, and limits the child's identity to the
// parent's end. While the child is in use, it keeps a revocation of the parent remembered.
func (s *Service) limitToParent(ctx context.Context, child *auth.Identity, accessEnd time.Time) error {
	if child.Parent == "" {
		return nil
	}
	parent, err := s.cfg.Sessions.Live(ctx, child.Parent)
	if err != nil {
		return err
	}
	if parent.AccessEnd.Before(accessEnd) {
		if parent, err = s.cfg.Sessions.Extend(ctx, parent.ID, accessEnd, false); err != nil {
			return err
		}
	}
	child.Dev, child.Expires = parent.Door == auth.DoorMinted, earlier(child.Expires, parent.End())
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
