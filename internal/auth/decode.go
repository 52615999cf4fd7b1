package auth

import (
	"context"
	"errors"
	"fmt"
)

// Caller is the client for which open data is decoded: the bearer of an access token, the
// holder of a handle, or both if the token and the handle belong to the same user.
type Caller struct {
	Identity *Identity // from an access token; nil without one
	Handle   string    // from an old client's session_key field
	// Admit is called with the user once it is known, before anything is decrypted;
	// its error refuses the call. Default: every user is admitted.
	Admit func(User) error
}

// Decoded is decrypted open data, and a new grant when it proved a phone number
// to the bearer of an access token.
type Decoded struct {
	Opened Opened
	Grant  *Grant
	// NotRemembered is why the session could not be updated with the number. The response
	// contains the number nevertheless: the code is spent, and the operator has paid for it.
	NotRemembered error
}

// Decode decrypts open data with the session keys of the caller's user, newest
// first: data that was encrypted just before a second wx.login still opens.
// A phone number is remembered on the session.
func (s *Service) Decode(ctx context.Context, who Caller, data OpenData, admitted Apps) (*Decoded, error) {
	user, session, err := s.caller(ctx, who)
	if err != nil {
		return nil, err
	}
	if who.Admit != nil {
		if err := who.Admit(user); err != nil {
			return nil, err
		}
	}
	opened, err := s.open(ctx, user, data, admitted, anything)
	if err != nil {
		return nil, err
	}
	return s.remember(ctx, opened, session, who.Identity != nil), nil
}

// Profile decrypts a user's profile, and stores nothing: the client may read its own profile,
// but no token gets a phone number or a unionid from data that came with a login.
// Data that is not a profile, or does not name the user, is [ErrDecryptFailed].
func (s *Service) Profile(ctx context.Context, id *Identity, data OpenData, admitted Apps) ([]byte, error) {
	opened, err := s.open(ctx, id.User, data, admitted, isProfile)
	if err != nil {
		return nil, err
	}
	return opened.JSON, nil
}

// OpenUnverified decrypts data with a session key that the client sent, for clients that are
// being migrated. Any client that has the key can write the data, so its content is only a
// claim of the client: the service stores nothing of it and grants nothing for it. If id is
// not nil, data that names another user is refused.
func (s *Service) OpenUnverified(app AppID, id *Identity, key string, data OpenData, admitted Apps) (Opened, error) {
	platform, err := s.platform(app, admitted)
	if err != nil {
		return Opened{}, err
	}
	opened, err := platform.Open([]SessionKey{{Key: key}}, data)
	if err != nil {
		return Opened{}, err
	}
	if id != nil {
		if err := ownedBy(id.OpenID, opened); err != nil {
			return Opened{}, err
		}
	}
	return opened, nil
}

// DecodePhoneCode spends a phone code for the bearer of an access token. The openid is sent
// with it, so that WeChat refuses the code of another user.
func (s *Service) DecodePhoneCode(ctx context.Context, id *Identity, code string, admitted Apps) (*Decoded, error) {
	platform, err := s.platform(id.App, admitted)
	if err != nil {
		return nil, err
	}
	phone, err := s.spendPhoneCode(ctx, platform, id.User, code)
	if err != nil {
		return nil, err
	}
	return s.remember(ctx, Opened{Phone: &phone}, id.Session, true), nil
}

// spendPhoneCode spends a phone code within the budget of the app. The code counts unless it
// certainly cost nothing.
func (s *Service) spendPhoneCode(ctx context.Context, platform Platform, u User, code string) (phone Phone, err error) {
	budget, limited := s.cfg.PhoneBudgets[u.App]
	if !limited {
		return platform.PhoneNumber(ctx, code, u.OpenID)
	}
	if s.cfg.Available != nil {
		if err := s.cfg.Available(ctx); err != nil {
			return Phone{}, err
		}
	}
	settle, err := budget(ctx)
	if err != nil {
		return Phone{}, err
	}
	charged := true // also if the call panics
	defer func() { settle(charged) }()
	phone, err = platform.PhoneNumber(ctx, code, u.OpenID)
	charged = !errors.Is(err, ErrNotCharged)
	return phone, err
}

// caller returns the user and the session for which open data is decoded.
func (s *Service) caller(ctx context.Context, who Caller) (User, SessionID, error) {
	if who.Handle == "" {
		if who.Identity == nil {
			return User{}, "", fmt.Errorf("%w: neither a session_key handle nor a token", ErrMissingToken)
		}
		return who.Identity.User, who.Identity.Session, nil
	}
	id, err := s.cfg.Tokens.OpenHandle(who.Handle)
	if err != nil {
		return User{}, "", err
	}
	session, err := s.cfg.Store.Session(ctx, id)
	if errors.Is(err, ErrNoSession) {
		if err := s.endedError(id, err); errors.Is(err, ErrSessionReplaced) {
			return User{}, "", err
		}
		return User{}, "", fmt.Errorf("%w: the handle's session has ended", ErrSessionStale)
	}
	if err != nil {
		return User{}, "", err
	}
	if s.admitDoor(session.Door) != nil {
		return User{}, "", fmt.Errorf("%w: the handle's session was minted, and dev_mode is off", ErrSessionStale)
	}
	// A handle proves its own user only: otherwise one user's phone number could
	// be written into another's session.
	if who.Identity != nil && who.Identity.User != session.User {
		return User{}, "", fmt.Errorf("%w: the handle and the token belong to different users", ErrInvalidRequest)
	}
	if who.Identity != nil {
		return session.User, who.Identity.Session, nil
	}
	return session.User, id, nil
}

func (s *Service) platform(app AppID, admitted Apps) (Platform, error) {
	if !admitted(app) {
		return nil, fmt.Errorf("%w: app %q", ErrAppNotAdmitted, app)
	}
	platform, ok := s.cfg.Apps[app]
	if !ok {
		return nil, fmt.Errorf("%w: %q is no longer configured", ErrUnknownApp, app)
	}
	return platform, nil
}

// remember writes a verified phone number to the session. A bearer gets an access token that
// carries the number. A caller with only a handle gets no token: a handle opens data and
// nothing else.
func (s *Service) remember(ctx context.Context, opened Opened, id SessionID, bearer bool) *Decoded {
	if opened.Phone == nil || opened.Unverified {
		return &Decoded{Opened: opened}
	}
	var grant *Grant
	err := s.cfg.Store.Update(ctx, id, func(session *Session) (Verdict, error) {
		session.Phone = opened.Phone.E164()
		if !bearer {
			return Save, nil
		}
		var err error
		if grant, err = s.grant(session, s.cfg.Now()); err != nil {
			return Keep, err
		}
		return Save, nil
	})
	if err != nil {
		return &Decoded{Opened: opened, NotRemembered: err}
	}
	return &Decoded{Opened: opened, Grant: grant}
}
