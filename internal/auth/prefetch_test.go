package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// prefetchStore remembers the session keys that were put into it.
type prefetchStore struct {
	onlyStore
	keys []auth.SessionKey
	down error
}

func (s *prefetchStore) PutSessionKey(_ context.Context, _ auth.User, key auth.SessionKey) error {
	s.keys = append(s.keys, key)
	return s.down
}

func (s *prefetchStore) Session(context.Context, auth.SessionID) (*auth.Session, error) {
	if s.session == nil {
		return nil, auth.ErrNoSession
	}
	return s.session, s.down
}

// exchanging is a platform with one user.
type exchanging struct {
	auth.Platform
	result auth.LoginResult
	codes  []string
}

func (p *exchanging) Exchange(_ context.Context, code string) (auth.LoginResult, error) {
	p.codes = append(p.codes, code)
	return p.result, nil
}

func TestPrefetchByCode(t *testing.T) {
	t.Parallel()
	store := new(prefetchStore)
	platform := &exchanging{result: auth.LoginResult{OpenID: "alice", UnionID: "u1", SessionKey: "key"}}
	now := time.Unix(1_800_000_000, 0)
	var available error
	s := auth.NewService(auth.Config{
		Apps: map[auth.AppID]auth.Platform{"wx1": platform}, Store: store, Tokens: plainTokens{}, Revocations: revokedSet{},
		Available: func(context.Context) error { return available }, Access: time.Hour, Now: func() time.Time { return now },
	})
	id, err := s.PrefetchByCode(t.Context(), "wx1", "c1")
	if err != nil || id.User != (auth.User{App: "wx1", OpenID: "alice"}) || id.UnionID != "u1" || id.Session != "" || !id.Expires.Equal(now.Add(time.Hour)) || s.PrefetchEnded(id) != nil {
		t.Errorf("got %+v, %v", id, err)
	}
	if len(store.keys) != 1 || store.keys[0] != (auth.SessionKey{Key: "key", ObtainedAt: now}) {
		t.Errorf("kept %v", store.keys)
	}
	if _, err := s.PrefetchByCode(t.Context(), "wx2", "c2"); !errors.Is(err, auth.ErrUnknownApp) {
		t.Errorf("another app: %v", err)
	}
	available = auth.ErrStoreUnavailable
	if _, err := s.PrefetchByCode(t.Context(), "wx1", "c3"); !errors.Is(err, auth.ErrStoreUnavailable) || len(platform.codes) != 1 {
		t.Errorf("without the store: %v, spent %v", err, platform.codes)
	}
	available, store.down = nil, auth.ErrStoreUnavailable
	if _, err := s.PrefetchByCode(t.Context(), "wx1", "c4"); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("the key cannot be kept: %v", err)
	}
	store.down, platform.result.OpenID = nil, "al ice"
	if _, err := s.PrefetchByCode(t.Context(), "wx1", "c5"); !errors.Is(err, auth.ErrWeChatUnreadable) || len(store.keys) != 2 {
		t.Errorf("an openid of another form: %v, kept %v", err, store.keys)
	}
}

// revokedSet is a set of revocations of sessions.
type revokedSet map[auth.SessionID]bool

func (r revokedSet) Revoked(id *auth.Identity) bool { return r[id.Session] }
func (r revokedSet) Replaced(auth.SessionID) bool   { return false }
func (r revokedSet) NotAfter(auth.User) time.Time   { return time.Time{} }

func TestPrefetchByToken(t *testing.T) {
	t.Parallel()
	alice := auth.User{App: "wx1", OpenID: "alice"}
	began := time.Now()
	session := &auth.Session{
		ID: auth.NewSessionID(began, alice), User: alice, UnionID: "u1", Phone: "+8610000000000", Risk: 3, CreatedAt: began,
		IdleEnd: began.Add(time.Hour), AbsoluteEnd: began.Add(2 * time.Hour),
	}
	store, revoked := &prefetchStore{onlyStore: onlyStore{session: session}}, revokedSet{}
	config := auth.Config{Store: store, Tokens: plainTokens{}, Revocations: revoked}
	s := auth.NewService(config)
	token, err := s.PrefetchToken(&auth.Identity{Session: session.ID})
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.PrefetchByToken(t.Context(), "wx1", token)
	if err != nil || id.User != alice || id.UnionID != "u1" || id.Session != session.ID || id.Phone != session.Phone || id.Risk != session.Risk || id.Dev || !id.Expires.Equal(session.IdleEnd) {
		t.Errorf("got %+v, %v", id, err)
	}
	refused := func(name string, app auth.AppID, token string, want error) {
		t.Helper()
		if id, err := s.PrefetchByToken(t.Context(), app, token); !errors.Is(err, want) || id != nil {
			t.Errorf("%s: %+v, %v, want %v", name, id, err, want)
		}
	}
	refused("of another app", "wx2", token, auth.ErrInvalidToken)
	refused("nonsense", "wx1", "nonsense", auth.ErrInvalidToken)
	session.Door = auth.DoorMinted
	refused("minted", "wx1", token, auth.ErrSessionRevoked)
	config.DevMode = true
	if id, err := auth.NewService(config).PrefetchByToken(t.Context(), "wx1", token); err != nil || !id.Dev {
		t.Errorf("minted, with dev_mode: %+v, %v", id, err)
	}
	session.Door = auth.DoorMiniProgram
	revoked[session.ID] = true
	refused("revoked", "wx1", token, auth.ErrSessionRevoked)
	delete(revoked, session.ID)
	store.down = auth.ErrStoreUnavailable
	refused("without the store", "wx1", token, auth.ErrStoreUnavailable)
	store.session = nil
	refused("ended", "wx1", token, auth.ErrSessionRevoked)
}
