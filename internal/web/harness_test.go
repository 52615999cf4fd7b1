package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/memory"
	"github.com/wxgate/wxgate/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	official    auth.AppID = "wx0000000000000004"
	miniProgram auth.AppID = "wx0000000000000001"

	testLife = 30 * 24 * time.Hour
	testIdle = 7 * 24 * time.Hour
)

// site is a service over a memory store that counts its calls.
type site struct {
	t        testing.TB
	web      *web.Service
	sessions *auth.Service
	store    *countedStore
	set      *session.Set
	config   web.Config
}

// options are the settings that differ between tests.
type options struct {
	idle    time.Duration // default testIdle
	limit   auth.SessionLimit
	devMode bool
}

func newSite(t testing.TB, o options) *site {
	t.Helper()
	if o.idle == 0 {
		o.idle = testIdle
	}
	memoryStore := memory.New(time.Now, session.Options{})
	t.Cleanup(func() { _ = memoryStore.Close() })
	s := &site{t: t, store: &countedStore{Store: memoryStore}, set: memoryStore.Revocations()}
	s.sessions = auth.NewService(auth.Config{
		Apps:   map[auth.AppID]auth.Platform{official: platform{}, miniProgram: platform{}},
		Tokens: tokens{}, Store: s.store, Revocations: s.set, DevMode: o.devMode,
		Limits: map[auth.AppID]auth.SessionLimit{official: o.limit, miniProgram: o.limit},
		Access: time.Hour, Refresh: testLife, Idle: o.idle,
	})
	box, err := seal.New([]byte(rand.Text() + rand.Text())) // different in each process of a fuzz test
	s.must(err)
	s.config = web.Config{
		Sessions: s.sessions, Records: web.NewLocalRecords(time.Now), Box: box,
		Pseudonym: func(u auth.User) string { return "u_" + string(u.OpenID) },
	}
	s.web = s.machine()
	return s
}

// machine returns another service over the same stores, with a separate cache.
func (s *site) machine() *web.Service {
	s.t.Helper()
	service, err := web.New(s.config)
	s.must(err)
	s.t.Cleanup(service.Close)
	return service
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// want fails the test unless err is the expected outcome; nil for success.
func (s *site) want(what string, err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// login logs a user in by the official account, and returns the session.
func (s *site) login(openid string) *web.Opened {
	s.t.Helper()
	opened, err := s.web.Login(s.t.Context(), auth.DoorOfficial, official, openid, auth.DeviceWindows)
	s.must(err)
	return opened
}

// phone logs a user in to the mini program.
func (s *site) phone(openid string) *auth.Grant {
	s.t.Helper()
	grant, err := s.sessions.Login(s.t.Context(), miniProgram, openid, auth.Client{Device: auth.DeviceIOS})
	s.must(err)
	return grant
}

// onPhone is the client of the mini program and its web-view.
var onPhone = web.Client{Device: auth.DeviceIOS, Address: "192.0.2.1"}

// child opens a web-view of a session of the mini program.
func (s *site) child(parent *auth.Identity) *web.Opened {
	s.t.Helper()
	text, err := s.web.NewTicket(s.t.Context(), parent, onPhone)
	s.must(err)
	opened, err := s.enter(text)
	s.must(err)
	return opened
}

func (s *site) enter(text string) (*web.Opened, error) {
	ticket, err := s.web.Ticket(s.t.Context(), text)
	if err != nil {
		return nil, err
	}
	return s.web.Enter(s.t.Context(), ticket, onPhone.Device)
}

// authenticate returns the error for the cookie of a session.
func (s *site) authenticate(opened *web.Opened) error {
	s.t.Helper()
	_, err := s.web.Authenticate(s.t.Context(), opened.Cookie.Value())
	return err
}

// countedStore counts the calls for cookies.
type countedStore struct {
	auth.Store

	reads, writes atomic.Int64
	failing       atomic.Bool
}

// take returns the counts since the last call.
func (s *countedStore) take() (reads, writes int64) { return s.reads.Swap(0), s.writes.Swap(0) }

func (s *countedStore) Session(ctx context.Context, id auth.SessionID) (*auth.Session, error) {
	s.reads.Add(1)
	if s.failing.Load() {
		return nil, auth.ErrStoreUnavailable
	}
	return s.Store.Session(ctx, id)
}

func (s *countedStore) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	s.writes.Add(1)
	if s.failing.Load() {
		return auth.ErrStoreUnavailable
	}
	return s.Store.Update(ctx, id, decide)
}

// platform uses the code as the user's openid.
type platform struct{ auth.Platform }

func (platform) Exchange(_ context.Context, code string) (auth.LoginResult, error) {
	if code == "snapshot" {
		return auth.LoginResult{}, auth.ErrSnapshotUser
	}
	return auth.LoginResult{OpenID: auth.OpenID(code), UnionID: auth.UnionID("union-" + code)}, nil
}

func (platform) Risk(context.Context, auth.OpenID, string) (auth.Risk, error) { return 3, nil }

// tokens issues tokens that these tests do not read.
type tokens struct{ auth.Tokens }

func (tokens) Issue(id auth.Identity) (string, error) { return fmt.Sprintf("%+v", id), nil }

func (tokens) SealHandle(auth.SessionID) (string, error) { return "handle", nil }

func (tokens) TagRefresh(token []byte) []byte {
	tag := sha256.Sum256(token)
	return tag[:auth.RefreshTagBytes]
}

func (t tokens) TaggedRefresh(token, tag []byte) bool { return bytes.Equal(tag, t.TagRefresh(token)) }
