package recordstest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/web"
)

// The apps of the tests: the code of the first app is shown; the other app is a different one.
const (
	ScanApp  auth.AppID = "wx1"
	OtherApp auth.AppID = "wx2"
)

// Sessions are sessions in memory, with the methods that a scan needs. They are safe for
// concurrent use.
type Sessions struct {
	auth.Store // nil

	now func() time.Time

	mu  sync.Mutex // guards all below
	all map[auth.SessionID]*auth.Session
}

// Begin begins a session of a user and returns its identity.
func (s *Sessions) Begin(user auth.User) *auth.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := auth.NewSessionID(s.now(), user)
	s.all[id] = &auth.Session{ID: id, User: user, AbsoluteEnd: s.now().Add(24 * time.Hour), IdleEnd: s.now().Add(24 * time.Hour)}
	return &auth.Identity{User: user, Session: id}
}

// End ends a session.
func (s *Sessions) End(id auth.SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
}

// Create implements [auth.Store].
func (s *Sessions) Create(_ context.Context, session *auth.Session, _ auth.SessionKey, _ auth.SessionLimit) ([]auth.SessionID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[session.ID] = session
	return nil, nil
}

// Session implements [auth.Store].
func (s *Sessions) Session(_ context.Context, id auth.SessionID) (*auth.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session, ok := s.all[id]; ok {
		return session, nil
	}
	return nil, auth.ErrNoSession
}

// Of returns the sessions of a user with the given door.
func (s *Sessions) Of(user auth.User, door auth.Door) (found []*auth.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.all {
		if session.User == user && session.Door == door {
			found = append(found, session)
		}
	}
	return slices.Clip(found)
}

// noRevocations revokes nothing: the sessions of the tests end only in the store.
type noRevocations struct{ auth.Revocations }

func (noRevocations) Revoked(*auth.Identity) bool  { return false }
func (noRevocations) Replaced(auth.SessionID) bool { return false }

// NewSessions returns an empty store of sessions.
func NewSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, all: make(map[auth.SessionID]*auth.Session)}
}

// NewService returns the rules of one machine, over a store of records and sessions in memory.
// It is closed when the test ends.
func NewService(t testing.TB, records web.Records, sessions *Sessions) *web.Service {
	t.Helper()
	box, err := seal.New(bytes.Repeat([]byte("secret"), 8))
	Want(t, "new box", err, nil)
	service, err := web.New(web.Config{
		Sessions: auth.NewService(auth.Config{
			Store: sessions, Revocations: noRevocations{}, Access: time.Hour, Refresh: 24 * time.Hour, Idle: 24 * time.Hour, Now: sessions.now,
		}),
		Records: records, Box: box, Pseudonym: func(auth.User) string { return "" }, Now: sessions.now,
	})
	Want(t, "new service", err, nil)
	t.Cleanup(service.Close)
	return service
}
