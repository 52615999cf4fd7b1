package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Config is all a [Service] needs. Every field but Outage, Available, KeyLocked
// and Now is required.
type Config struct {
	Apps        map[AppID]Platform
	Tokens      Tokens
	Store       Store
	Revocations Revocations

	Access  time.Duration // life of an access token
	Refresh time.Duration // life of a session, from its login
	Idle    time.Duration // life of a session, from its last refresh

	// Outage is how long the store was lately not to be heard, and 0 once that is
	// so long ago that whoever waited has come back; nil for a store that is always
	// heard. That time does not count against [RefreshGrace].
	Outage func() time.Duration

	// Available is asked before a code is spent, and fails when the store is known
	// to be down: a code that was spent for nothing costs the user another silent
	// login, and WeChat's quota another call. nil: the store is tried afterwards.
	Available func(ctx context.Context) error

	// KeyLocked is called when a user's session_key was locked because decrypting
	// with it failed too often. reset is why the platform did not replace the key;
	// nil when it did. Default: nothing is called.
	KeyLocked func(u User, reset error)

	Now func() time.Time // default time.Now
}

// Service carries out the gateway's rules. It keeps nothing between two requests,
// so any number of them may share one store.
type Service struct {
	cfg       Config
	refreshes flights // under way now
}

// NewService makes a service from a complete config.
func NewService(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg}
}

// Grant is the answer to a login, a refresh or a verified phone.
type Grant struct {
	Identity       Identity
	Handle         string // stands where WeChat's session_key stood
	AccessToken    string
	AccessExpires  time.Time
	RefreshToken   string
	RefreshExpires time.Time
}

// Apps says which apps' users a site admits.
type Apps func(AppID) bool

// maxCreateAttempts bounds the login's race against "log out everywhere": each
// attempt begins after the last revocation seen, so a second failure needs a
// second revocation in between.
const maxCreateAttempts = 3

// Login spends a code and begins a session.
func (s *Service) Login(ctx context.Context, app AppID, code string) (*Grant, error) {
	return s.login(ctx, app, code, s.cfg.Idle)
}

// LoginOnce is Login for a client that can hold no refresh token: the grant has
// none, and the session ends with its access token. It would otherwise lie in
// the store for the days that a refresh could still come.
func (s *Service) LoginOnce(ctx context.Context, app AppID, code string) (*Grant, error) {
	grant, err := s.login(ctx, app, code, min(s.cfg.Access, s.cfg.Idle))
	if err != nil {
		return nil, err
	}
	grant.RefreshToken = ""
	return grant, nil
}

func (s *Service) login(ctx context.Context, app AppID, code string, idle time.Duration) (*Grant, error) {
	platform, ok := s.cfg.Apps[app]
	if !ok {
		return nil, fmt.Errorf("%w: %q is not configured", ErrUnknownApp, app)
	}
	if s.cfg.Available != nil {
		if err := s.cfg.Available(ctx); err != nil {
			return nil, err
		}
	}
	who, err := platform.Exchange(ctx, code)
	if err != nil {
		return nil, err
	}
	if !ValidID(who.OpenID) || who.UnionID != "" && !ValidID(who.UnionID) {
		return nil, fmt.Errorf("%w: openid or unionid outside [A-Za-z0-9_-]{1,64}", ErrWeChatUnreadable)
	}
	began := s.cfg.Now()
	for range maxCreateAttempts {
		grant, err := s.begin(ctx, User{App: app, OpenID: who.OpenID}, who, began, idle)
		var early *CreatedTooEarlyError
		if !errors.As(err, &early) {
			return grant, err
		}
		began = early.NotAfter.Add(time.Millisecond)
	}
	return nil, fmt.Errorf("%w: the user is being revoked without end", ErrStoreUnavailable)
}

// begin writes the session before anything is handed out, so that a crash in
// between costs the client a silent login and never a token without a session.
func (s *Service) begin(ctx context.Context, user User, who Exchanged, began time.Time, idle time.Duration) (*Grant, error) {
	now := s.cfg.Now()
	session := &Session{
		ID:          NewSessionID(began, user),
		User:        user,
		UnionID:     who.UnionID,
		CreatedAt:   now,
		AbsoluteEnd: now.Add(s.cfg.Refresh),
		IdleEnd:     now.Add(idle),
	}
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
	if err := s.cfg.Store.Create(ctx, session, SessionKey{Key: who.SessionKey, ObtainedAt: now}); err != nil {
		return nil, err
	}
	return grant, nil
}

// grant issues an access token for a session and notes on the session how long
// it lives, so that a revocation is remembered exactly that long.
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

// Authenticate decides whether an access token admits its bearer now:
// [ErrInvalidToken], [ErrTokenExpired] or [ErrSessionRevoked] when it does not.
// It never leaves the process.
func (s *Service) Authenticate(raw string) (*Identity, error) {
	id, err := s.cfg.Tokens.Verify(raw)
	if err != nil {
		return nil, err
	}
	if s.cfg.Revocations.Revoked(id) {
		return nil, fmt.Errorf("%w: %s", ErrSessionRevoked, id.Session)
	}
	return id, nil
}
