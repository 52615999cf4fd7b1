package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// familyStore has the session of a phone and sessions of web pages of the same user. It lists
// one session per page.
type familyStore struct {
	*onlyStore // the phone
	pages      []*auth.Session
	ended      []auth.SessionID
	lists      int
	listErr    error
	evicts     bool // the next login ends the phone's session
}

func (s *familyStore) Create(ctx context.Context, session *auth.Session, key auth.SessionKey, limit auth.SessionLimit) (ended []auth.SessionID, err error) {
	if s.evicts {
		return []auth.SessionID{s.session.ID}, nil
	}
	return s.onlyStore.Create(ctx, session, key, limit)
}

func (s *familyStore) List(ctx context.Context, q auth.Query) (auth.Page, error) {
	s.lists++
	if err := errors.Join(s.listErr, ctx.Err()); err != nil {
		return auth.Page{}, err
	}
	at := 0
	if q.Cursor != "" {
		at = int(q.Cursor[0] - '0')
	}
	if at == len(s.pages) {
		return auth.Page{}, nil
	}
	return auth.Page{Sessions: s.pages[at : at+1], Next: fmt.Sprint(at + 1)}, nil
}

func (s *familyStore) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	i := slices.IndexFunc(s.pages, func(page *auth.Session) bool { return page.ID == id })
	if i < 0 {
		return s.onlyStore.Update(ctx, id, decide)
	}
	verdict, err := decide(clone(s.pages[i]))
	if verdict == auth.End {
		s.ended = append(s.ended, id)
	}
	return err
}

// TestChildrenEnd: when the session of a phone ends, for any reason, the web pages that it
// opened by tickets end too, and no others. If they cannot be ended, the phone's session has
// ended nevertheless.
func TestChildrenEnd(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	alice := auth.User{App: theApp, OpenID: "o1"}
	for name, row := range map[string]struct {
		end   func(ctx context.Context, s *auth.Service, id *auth.Identity, tokens []string) error
		cause auth.Cause
	}{
		"logout": {func(ctx context.Context, s *auth.Service, id *auth.Identity, _ []string) error {
			return s.Logout(ctx, id, false)
		}, auth.CauseLogout},
		"operator": {func(ctx context.Context, s *auth.Service, id *auth.Identity, _ []string) error {
			_, err := s.EndSession(ctx, string(id.Session))
			return err
		}, auth.CauseOperator},
		"revocation": {func(ctx context.Context, s *auth.Service, _ *auth.Identity, tokens []string) error {
			_, err := s.RevokeRefresh(ctx, tokens[2], anyApp)
			return err
		}, auth.CauseRevoked},
		"reuse": {func(ctx context.Context, s *auth.Service, _ *auth.Identity, tokens []string) error {
			if _, err := s.Refresh(ctx, tokens[0], anyApp); !errors.Is(err, auth.ErrRefreshReused) {
				return fmt.Errorf("reuse: %w", err)
			}
			return nil
		}, auth.CauseReused},
		"limit": {func(ctx context.Context, s *auth.Service, _ *auth.Identity, _ []string) error {
			_, err := s.Login(ctx, theApp, "code", auth.Client{})
			return err
		}, auth.CauseLimit},
	} {
		for _, mode := range []string{"on", "off", "list fails"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				store := &familyStore{onlyStore: &onlyStore{}}
				var got []auth.Ended
				service := auth.NewService(auth.Config{
					Apps: map[auth.AppID]auth.Platform{theApp: onlyPlatform{}}, Browsers: mode != "off",
					Tokens: plainTokens{}, Store: store, Revocations: revoked(false),
					Access: time.Hour, Refresh: theLife, Idle: theLife,
					Ended: func(e auth.Ended) { got = append(got, e) },
					Now:   func() time.Time { return now },
				})
				phone, err := service.Login(t.Context(), theApp, "code", auth.Client{})
				if err != nil {
					t.Fatal(err)
				}
				tokens := []string{phone.RefreshToken}
				for range 2 {
					next, err := service.Refresh(t.Context(), tokens[len(tokens)-1], anyApp)
					if err != nil {
						t.Fatal(err)
					}
					tokens = append(tokens, next.RefreshToken)
				}
				parent := phone.Identity.Session
				for _, of := range []auth.SessionID{parent, "", auth.NewSessionID(now, alice), parent} {
					store.pages = append(store.pages, &auth.Session{ID: auth.NewSessionID(now, alice), User: alice, Door: auth.DoorWebView, Parent: of})
				}
				if mode == "list fails" {
					store.listErr = fmt.Errorf("%w: unplugged", auth.ErrStoreUnavailable)
				}
				store.evicts = true
				if err := row.end(t.Context(), service, &phone.Identity, tokens); err != nil {
					t.Fatal(err)
				}
				want := []auth.Ended{{User: alice, Session: parent, Cause: row.cause, At: now}}
				var children []auth.SessionID
				if mode == "on" {
					children = []auth.SessionID{store.pages[0].ID, store.pages[3].ID}
				}
				for _, id := range children {
					want = append(want, auth.Ended{User: alice, Session: id, Cause: auth.CauseParent, At: now})
				}
				if !slices.Equal(got, want) || !slices.Equal(store.ended, children) {
					t.Errorf("reported %v, want %v; ended %v, want %v", got, want, store.ended, children)
				}
				if (store.lists > 0) == (mode == "off") {
					t.Errorf("the sessions were listed %d times", store.lists)
				}
			})
		}
	}
}

// TestChildrenEndWithoutClient: the web pages end although the phone's client disconnected.
func TestChildrenEndWithoutClient(t *testing.T) {
	t.Parallel()
	store := &familyStore{onlyStore: &onlyStore{}}
	service := auth.NewService(auth.Config{
		Apps: map[auth.AppID]auth.Platform{theApp: onlyPlatform{}}, Browsers: true,
		Tokens: plainTokens{}, Store: store, Revocations: revoked(false), Access: time.Hour, Refresh: theLife, Idle: theLife,
	})
	phone, err := service.Login(t.Context(), theApp, "code", auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	page := &auth.Session{ID: auth.NewSessionID(time.Now(), phone.Identity.User), User: phone.Identity.User, Door: auth.DoorWebView, Parent: phone.Identity.Session}
	store.pages = append(store.pages, page)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	revoking := &hangingUp{familyStore: store, hangUp: hangUp}
	service = auth.NewService(auth.Config{Browsers: true, Store: revoking, Revocations: revoked(false), Access: time.Hour})
	if err := service.Logout(ctx, &phone.Identity, false); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(store.ended, []auth.SessionID{page.ID}) {
		t.Errorf("ended %v, want the page %s", store.ended, page.ID)
	}
}

// hangingUp is a store whose client disconnects as soon as its session has ended.
type hangingUp struct {
	*familyStore
	hangUp func()
}

func (s *hangingUp) Update(ctx context.Context, id auth.SessionID, decide func(*auth.Session) (auth.Verdict, error)) error {
	err := s.familyStore.Update(ctx, id, decide)
	s.hangUp()
	return err
}
