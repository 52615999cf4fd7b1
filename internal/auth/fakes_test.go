package auth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// onlyStore has one session. Methods that these tests do not need are those of
// the nil interface.
type onlyStore struct {
	auth.Store
	before func() // called at the start of each Update
	err    error  // of each Update

	mu      sync.Mutex
	session *auth.Session
	updates int
	ended   bool
}

func (s *onlyStore) Create(_ context.Context, session *auth.Session, _ auth.SessionKey, _ auth.SessionLimit) ([]auth.SessionID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = clone(session)
	return nil, nil
}

func (s *onlyStore) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	if s.before != nil {
		s.before()
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates++
	if s.err != nil {
		return s.err
	}
	if s.session == nil || s.ended || s.session.ID != id {
		return auth.ErrNoSession
	}
	session := clone(s.session)
	verdict, err := decide(session)
	switch verdict {
	case auth.Keep:
	case auth.Save:
		s.session = session
	case auth.End:
		s.ended = true
	}
	return err
}

// look returns the content of the store.
func (s *onlyStore) look() (session *auth.Session, updates int, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clone(s.session), s.updates, s.ended
}

func clone(s *auth.Session) *auth.Session {
	c := *s
	c.Refresh.Successor = slices.Clone(s.Refresh.Successor)
	return &c
}

// plainTokens writes tokens as JSON.
type plainTokens struct{}

func (plainTokens) Issue(id auth.Identity) (string, error) {
	b, err := json.Marshal(id)
	return string(b), err
}

func (plainTokens) Verify(raw string) (*auth.Identity, error) {
	id := new(auth.Identity)
	if err := json.Unmarshal([]byte(raw), id); err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrInvalidToken, err)
	}
	return id, nil
}

func (plainTokens) SealHandle(id auth.SessionID) (string, error) { return string(id), nil }

func (plainTokens) OpenHandle(h string) (auth.SessionID, error) {
	id, err := auth.ParseSessionID(h)
	if err != nil {
		return "", fmt.Errorf("%w: %w", auth.ErrSessionStale, err)
	}
	return id, nil
}

func (plainTokens) SealPrefetch(id auth.SessionID) (string, error) { return "wxp_" + string(id), nil }

func (plainTokens) OpenPrefetch(token string) (auth.SessionID, error) {
	return auth.ParseSessionID(strings.TrimPrefix(token, "wxp_"))
}

func (plainTokens) TagRefresh(token []byte) []byte {
	tag := sha256.Sum256(append([]byte("key"), token...))
	return tag[:]
}

func (p plainTokens) TaggedRefresh(token, tag []byte) bool {
	return bytes.Equal(tag, p.TagRefresh(token))
}

// onlyPlatform returns the same user for every code.
type onlyPlatform struct{ auth.Platform }

func (onlyPlatform) CheckPhone(context.Context, auth.OpenData) error { return nil }

func (onlyPlatform) Risk(context.Context, auth.OpenID, string) (auth.Risk, error) { return 0, nil }

func (onlyPlatform) Exchange(context.Context, string) (auth.LoginResult, error) {
	return auth.LoginResult{OpenID: "o1", SessionKey: "k1"}, nil
}

const (
	theApp  = auth.AppID("wx1")
	theLife = 24 * time.Hour
)

func anyApp(auth.AppID) bool { return true }
func noApp(auth.AppID) bool  { return false }

// login makes a service over store and returns the first refresh token.
func login(t testing.TB, store *onlyStore) (*auth.Service, string) {
	t.Helper()
	return loginOver(t, store, nil)
}

// loginOver is login with a store that is unreachable at times.
func loginOver(t testing.TB, store *onlyStore, outage func() time.Duration) (*auth.Service, string) {
	t.Helper()
	service := auth.NewService(auth.Config{
		Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
		Tokens: plainTokens{}, Store: store, Outage: outage,
		Access: time.Hour, Refresh: theLife, Idle: theLife,
	})
	grant, err := service.Login(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS})
	if err != nil {
		t.Fatal(err)
	}
	return service, grant.RefreshToken
}
