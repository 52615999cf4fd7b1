package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxCreateAttempts bounds the race of a login with "log out everywhere": each attempt
// begins after the last known revocation, so a second failure needs a second revocation
// in between.
const maxCreateAttempts = 3

// Client describes the client that sent a login.
type Client struct {
	Device  Device
	Address string // its IP address, for [Platform.Risk]
}

// Login exchanges a code and starts a session.
func (s *Service) Login(ctx context.Context, app AppID, code string, from Client) (*Grant, error) {
	return s.login(ctx, app, code, from, s.cfg.Idle)
}

// LoginOnce is Login for a client that cannot keep a refresh token: the grant has none,
// and the session ends with its access token. Otherwise the store would keep the session
// for days, waiting for a refresh that never comes.
func (s *Service) LoginOnce(ctx context.Context, app AppID, code string, from Client) (*Grant, error) {
	grant, err := s.login(ctx, app, code, from, min(s.cfg.Access, s.cfg.Idle))
	if err != nil {
		return nil, err
	}
	grant.RefreshToken = ""
	return grant, nil
}

func (s *Service) login(ctx context.Context, app AppID, code string, from Client, idle time.Duration) (*Grant, error) {
	who, err := s.exchange(ctx, app, code)
	if err != nil {
		return nil, err
	}
	// A login without a rank succeeds: the site's requirements decide what it may do.
	risk, unranked := s.cfg.Apps[app].Risk(ctx, who.OpenID, from.Address)
	first := Session{User: User{App: app, OpenID: who.OpenID}, UnionID: who.UnionID, Risk: risk, Device: from.Device, Door: DoorMiniProgram}
	grant, err := s.start(ctx, first, who.SessionKey, idle)
	if err != nil {
		return nil, err
	}
	grant.Unranked = unranked
	return grant, nil
}

// exchange spends a code unless the store is known to be down.
func (s *Service) exchange(ctx context.Context, app AppID, code string) (who LoginResult, err error) {
	platform, ok := s.cfg.Apps[app]
	if !ok {
		return who, fmt.Errorf("%w: %q is not configured", ErrUnknownApp, app)
	}
	if s.cfg.Available != nil {
		if err := s.cfg.Available(ctx); err != nil {
			return who, err
		}
	}
	if who, err = platform.Exchange(ctx, code); err != nil {
		return who, err
	}
	if !ValidID(who.OpenID) || who.UnionID != "" && !ValidID(who.UnionID) {
		return who, fmt.Errorf("%w: openid or unionid outside [A-Za-z0-9_-]{1,64}", ErrWeChatUnreadable)
	}
	return who, nil
}

// Mint starts a session of a user without a login code, for tests of an upstream. The user
// has no unionid and the session no session_key. [ErrDevModeOff], [ErrUnknownApp],
// [ErrInvalidRequest] for an openid that no platform issues.
func (s *Service) Mint(ctx context.Context, user User) (*Grant, error) {
	if !s.cfg.DevMode {
		return nil, ErrDevModeOff
	}
	if _, ok := s.cfg.Apps[user.App]; !ok {
		return nil, fmt.Errorf("%w: %q is not configured", ErrUnknownApp, user.App)
	}
	if !ValidID(user.OpenID) {
		return nil, fmt.Errorf("%w: openid outside [A-Za-z0-9_-]{1,64}", ErrInvalidRequest)
	}
	return s.start(ctx, Session{User: user, Door: DoorMinted}, "", s.cfg.Idle)
}

// admitDoor refuses a minted session without DevMode. Otherwise the tokens of a test gateway
// would be admitted by a gateway that shares its store or its keys, or that once was one.
func (s *Service) admitDoor(d Door) error {
	if d == DoorMinted && !s.cfg.DevMode {
		return fmt.Errorf("%w: it was minted, and dev_mode is off", ErrSessionRevoked)
	}
	return nil
}

// start begins a session with tokens, dated after all revocations of its user.
func (s *Service) start(ctx context.Context, first Session, key string, idle time.Duration) (grant *Grant, err error) {
	err = s.afterRevocations(func(began time.Time) (err error) {
		grant, err = s.begin(ctx, first, key, began, idle)
		return err
	})
	return grant, err
}

// afterRevocations calls begin to create a session, and calls it again with a later time if
// the user was revoked in between.
func (s *Service) afterRevocations(begin func(began time.Time) error) error {
	began := s.cfg.Now()
	for range maxCreateAttempts {
		err := begin(began)
		var early *CreatedTooEarlyError
		if !errors.As(err, &early) {
			return err
		}
		began = early.NotAfter.Add(time.Millisecond)
	}
	return fmt.Errorf("%w: the user was revoked repeatedly during login", ErrStoreUnavailable)
}

// begin writes the session before it returns any token, so that a crash in between costs
// the client a silent login, and never leaves a token without a session. first is the
// session without its ID and its times.
func (s *Service) begin(ctx context.Context, first Session, key string, began time.Time, idle time.Duration) (*Grant, error) {
	now, session := s.cfg.Now(), &first
	s.date(session, began, now, idle)
	refresh := NewRefreshToken(session.ID)
	session.Refresh = StartRefresh(refresh)
	grant, err := s.grant(session, now)
	if err != nil {
		return nil, err
	}
	grant.RefreshToken = s.tagged(refresh).String()
	if grant.Handle, err = s.cfg.Tokens.SealHandle(session.ID); err != nil {
		return nil, fmt.Errorf("sealing the session handle: %w", err)
	}
	grant.Ended, err = s.create(ctx, session, SessionKey{Key: key, ObtainedAt: now})
	if err != nil {
		return nil, err
	}
	return grant, nil
}

// date sets the ID and the times of a session.
func (s *Service) date(session *Session, began, now time.Time, idle time.Duration) {
	session.ID = NewSessionID(began, session.User)
	session.CreatedAt = now
	session.AbsoluteEnd = now.Add(s.cfg.Refresh)
	session.IdleEnd = now.Add(idle)
}

// create writes a session, and returns the sessions that it ended.
func (s *Service) create(ctx context.Context, session *Session, key SessionKey) (ended []SessionID, err error) {
	ended, err = s.cfg.Store.Create(ctx, session, key, s.cfg.Limits[session.User.App])
	if err != nil {
		return nil, err
	}
	s.endedSessions(ctx, session.User, CauseLimit, ended...)
	return ended, nil
}

// grant issues an access token for a session and records in the session when the token
// expires, so that a revocation is remembered exactly that long.
func (s *Service) grant(session *Session, now time.Time) (*Grant, error) {
	expires := now.Add(s.cfg.Access)
	if end := session.End(); expires.After(end) {
		expires = end // no token outlives its session
	}
	id := Identity{
		User:     session.User,
		UnionID:  session.UnionID,
		Session:  session.ID,
		Phone:    session.Phone,
		Risk:     session.Risk,
		Dev:      session.Door == DoorMinted,
		IssuedAt: now,
		Expires:  expires,
	}
	token, err := s.cfg.Tokens.Issue(id)
	if err != nil {
		return nil, fmt.Errorf("issuing an access token: %w", err)
	}
	if expires.After(session.AccessEnd) {
		session.AccessEnd = expires
	}
	return &Grant{Identity: id, AccessToken: token, AccessExpires: expires, RefreshExpires: session.End()}, nil
}
