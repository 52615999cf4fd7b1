package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// keyStore is an onlyStore whose user has a session key.
type keyStore struct{ *onlyStore }

func (s keyStore) Session(context.Context, auth.SessionID) (*auth.Session, error) {
	session, _, _ := s.look()
	return session, nil
}

func (keyStore) SessionKeys(context.Context, auth.User) ([]auth.SessionKey, error) {
	return []auth.SessionKey{{Key: "k1"}}, nil
}

func (keyStore) UpdateAttempts(_ context.Context, _ auth.User, change func(*auth.Attempts)) error {
	change(new(auth.Attempts))
	return nil
}

// dataPlatform returns the same content for any data, or fails.
type dataPlatform struct {
	onlyPlatform
	opened auth.Opened
	err    error
}

func (p dataPlatform) Open([]auth.SessionKey, auth.OpenData) (auth.Opened, error) {
	return p.opened, p.err
}

func (p dataPlatform) PhoneNumber(_ context.Context, _ string, openid auth.OpenID) (auth.Phone, error) {
	if openid != theUser.OpenID {
		return auth.Phone{}, auth.ErrInvalidPhoneCode
	}
	return thePhone, p.err
}

var (
	theUser  = auth.User{App: theApp, OpenID: "o1"}
	thePhone = auth.Phone{PurePhoneNumber: "10012345678", CountryCode: "86"}
)

// TestDecodeRemembers: a number proved by a bearer or by a handle is written to the session.
// Only a bearer gets an access token, and only then AccessEnd changes.
func TestDecodeRemembers(t *testing.T) {
	t.Parallel()
	for name, bearer := range map[string]bool{"bearer": true, "handle": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_800_000_000, 0)
			store := keyStore{&onlyStore{}}
			service := auth.NewService(auth.Config{
				Apps:   map[auth.AppID]auth.Platform{theApp: dataPlatform{opened: auth.Opened{Phone: &thePhone}}},
				Tokens: plainTokens{}, Store: store,
				Access: time.Hour, Refresh: theLife, Idle: theLife,
				Now: func() time.Time { return now },
			})
			login, err := service.Login(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS})
			if err != nil {
				t.Fatal(err)
			}
			who, ends := auth.Caller{Handle: login.Handle}, login.AccessExpires
			now = now.Add(time.Minute)
			if bearer {
				who, ends = auth.Caller{Identity: &login.Identity}, now.Add(time.Hour)
			}
			decoded, err := service.Decode(t.Context(), who, auth.OpenData{}, anyApp)
			if err != nil || decoded.NotRemembered != nil || (decoded.Grant != nil) != bearer {
				t.Fatalf("got %+v, %v", decoded, err)
			}
			session, _, _ := store.look()
			if session.Phone != "+8610012345678" || !session.AccessEnd.Equal(ends) {
				t.Errorf("phone %q, the last token ends %v, want %v", session.Phone, session.AccessEnd, ends)
			}
		})
	}
}

// sharedStore has a session of theUser under every ID, or fails, and records the ID that
// Update was called with.
type sharedStore struct {
	keyStore
	err     error
	updated auth.SessionID
}

func (s *sharedStore) Session(context.Context, auth.SessionID) (*auth.Session, error) {
	return &auth.Session{User: theUser}, s.err
}

func (s *sharedStore) Update(_ context.Context, id auth.SessionID, _ func(*auth.Session) (auth.Verdict, error)) error {
	s.updated = id
	return nil
}

// TestDecodeCaller: open data belongs to the user of the token or of the handle, which must
// be the same user, and is remembered on that session alone.
func TestDecodeCaller(t *testing.T) {
	t.Parallel()
	handle := string(auth.NewSessionID(time.UnixMilli(1), theUser))
	token := &auth.Identity{User: theUser, Session: "s1"}
	refuse := func(u auth.User) error {
		if u == theUser {
			return auth.ErrForbidden
		}
		return nil
	}
	for name, row := range map[string]struct {
		who      auth.Caller
		store    error
		admitted auth.Apps // default: any app
		want     error
		session  string
	}{
		"token":             {who: auth.Caller{Identity: token}, session: "s1"},
		"handle":            {who: auth.Caller{Handle: handle}, session: handle},
		"both":              {who: auth.Caller{Identity: token, Handle: handle}, session: "s1"},
		"neither":           {want: auth.ErrMissingToken},
		"of two users":      {who: auth.Caller{Identity: &auth.Identity{User: auth.User{App: theApp, OpenID: "o2"}}, Handle: handle}, want: auth.ErrInvalidRequest},
		"of two apps":       {who: auth.Caller{Identity: &auth.Identity{User: auth.User{App: "wx2", OpenID: "o1"}}, Handle: handle}, want: auth.ErrInvalidRequest},
		"invalid handle":    {who: auth.Caller{Identity: token, Handle: "x"}, want: auth.ErrSessionStale},
		"session has ended": {who: auth.Caller{Handle: handle}, store: auth.ErrNoSession, want: auth.ErrSessionStale},
		"store is down":     {who: auth.Caller{Handle: handle}, store: auth.ErrStoreUnavailable, want: auth.ErrStoreUnavailable},
		"not admitted user": {who: auth.Caller{Handle: handle, Admit: refuse}, want: auth.ErrForbidden},
		"not admitted app":  {who: auth.Caller{Identity: token}, admitted: noApp, want: auth.ErrAppNotAdmitted},
		"removed app":       {who: auth.Caller{Identity: &auth.Identity{User: auth.User{App: "wx2", OpenID: "o1"}}}, want: auth.ErrUnknownApp},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &sharedStore{err: row.store}
			service := newDecoder(store, dataPlatform{opened: auth.Opened{Phone: &thePhone}})
			if row.admitted == nil {
				row.admitted = anyApp
			}
			decoded, err := service.Decode(t.Context(), row.who, auth.OpenData{}, row.admitted)
			if !errors.Is(err, row.want) || (decoded != nil) != (row.want == nil) || string(store.updated) != row.session {
				t.Errorf("got %+v, %v and session %q, want %v and %q", decoded, err, store.updated, row.want, row.session)
			}
		})
	}
}

func newDecoder(store auth.Store, platform auth.Platform) *auth.Service {
	return auth.NewService(auth.Config{
		Revocations: revoked(false),
		Apps:        map[auth.AppID]auth.Platform{theApp: platform},
		Tokens:      plainTokens{}, Store: store,
		Access: time.Hour, Refresh: theLife, Idle: theLife,
	})
}

// TestOwnData: each call accepts only its own kind of data, of its own user.
func TestOwnData(t *testing.T) {
	t.Parallel()
	own, other := auth.Opened{OpenID: "o1", JSON: []byte("{}")}, auth.Opened{OpenID: "o2"}
	nameless, phone := auth.Opened{JSON: []byte("{}")}, auth.Opened{OpenID: "o1", Phone: &thePhone}
	for name, row := range map[string]struct {
		opened                              auth.Opened
		err                                 error
		decode, profile, unverified, byCode error
	}{
		"own":      {opened: own},
		"another":  {opened: other, decode: auth.ErrDecryptFailed, profile: auth.ErrDecryptFailed, unverified: auth.ErrDecryptFailed},
		"nameless": {opened: nameless, profile: auth.ErrDecryptFailed},
		"phone":    {opened: phone, profile: auth.ErrDecryptFailed},
		"platform": {opened: own, err: auth.ErrWeChatBusy, decode: auth.ErrWeChatBusy, profile: auth.ErrWeChatBusy, unverified: auth.ErrWeChatBusy, byCode: auth.ErrWeChatBusy},
	} {
		service, id := newDecoder(&sharedStore{}, dataPlatform{opened: row.opened, err: row.err}), &auth.Identity{User: theUser}
		for call, got := range map[string]struct {
			err, want error
		}{
			"Decode":          {second(service.Decode(t.Context(), auth.Caller{Identity: id}, auth.OpenData{}, anyApp)), row.decode},
			"Profile":         {second(service.Profile(t.Context(), id, auth.OpenData{}, anyApp)), row.profile},
			"OpenUnverified":  {second(service.OpenUnverified(theApp, id, "k", auth.OpenData{}, anyApp)), row.unverified},
			"without token":   {second(service.OpenUnverified(theApp, nil, "k", auth.OpenData{}, anyApp)), row.err},
			"not admitted":    {second(service.OpenUnverified(theApp, nil, "k", auth.OpenData{}, noApp)), auth.ErrAppNotAdmitted},
			"DecodePhoneCode": {second(service.DecodePhoneCode(t.Context(), id, "code", anyApp)), row.byCode},
			"no such app":     {second(service.DecodePhoneCode(t.Context(), id, "code", noApp)), auth.ErrAppNotAdmitted},
		} {
			if !errors.Is(got.err, got.want) {
				t.Errorf("%s: %s: got %v, want %v", name, call, got.err, got.want)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestNotRemembered: a number that cannot be written, or that is unverified, is returned
// but grants nothing.
func TestNotRemembered(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		opened  auth.Opened
		err     error // of the store
		updates int
	}{
		"not a phone": {opened: auth.Opened{}},
		"unverified":  {opened: auth.Opened{Phone: &thePhone, Unverified: true}},
		"store down":  {opened: auth.Opened{Phone: &thePhone}, err: auth.ErrStoreUnavailable, updates: 1},
	} {
		store := keyStore{&onlyStore{err: row.err}}
		service := newDecoder(store, dataPlatform{opened: row.opened})
		decoded, err := service.Decode(t.Context(), auth.Caller{Identity: &auth.Identity{User: theUser}}, auth.OpenData{}, anyApp)
		if err != nil || decoded.Opened.Phone != row.opened.Phone || decoded.Grant != nil || !errors.Is(decoded.NotRemembered, row.err) || store.updates != row.updates {
			t.Errorf("%s: %+v, %v after %d updates", name, decoded, err, store.updates)
		}
	}
}
