package auth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// TestLoginOnce: a session without a refresh token ends with its access token.
func TestLoginOnce(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, tc := range []struct {
		name               string
		access, idle, want time.Duration
	}{
		{"access is shorter", time.Hour, theLife, time.Hour},
		{"idle is shorter", time.Hour, time.Minute, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := &onlyStore{}
			service := auth.NewService(auth.Config{
				Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
				Tokens: plainTokens{}, Store: store,
				Access: tc.access, Refresh: theLife, Idle: tc.idle,
				Now: func() time.Time { return now },
			})
			grant, err := service.LoginOnce(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS})
			if err != nil {
				t.Fatal(err)
			}
			session, _, _ := store.look()
			if session.Device != auth.DeviceIOS || session.Door != auth.DoorMiniProgram || !session.LastSeen().Equal(now) {
				t.Errorf("device %v, door %v, last seen %v", session.Device, session.Door, session.LastSeen())
			}
			if end := now.Add(tc.want); grant.RefreshToken != "" || !grant.AccessExpires.Equal(end) || !session.End().Equal(end) {
				t.Errorf("refresh token %q, the token ends %v, the session %v, want %v", grant.RefreshToken, grant.AccessExpires, session.End(), end)
			}
		})
	}
}

// idPlatform returns these IDs for every code.
type idPlatform struct {
	onlyPlatform
	openid  auth.OpenID
	unionid auth.UnionID
}

func (p idPlatform) Exchange(context.Context, string) (auth.LoginResult, error) {
	return auth.LoginResult{OpenID: p.openid, UnionID: p.unionid}, nil
}

// TestLoginChecksIDs: IDs that no platform issues start no session. A unionid may be
// missing.
func TestLoginChecksIDs(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		platform idPlatform
		want     error
	}{
		"both":            {idPlatform{openid: "o1", unionid: "u1"}, nil},
		"no unionid":      {idPlatform{openid: "o1"}, nil},
		"no openid":       {idPlatform{unionid: "u1"}, auth.ErrWeChatUnreadable},
		"invalid openid":  {idPlatform{openid: "o 1"}, auth.ErrWeChatUnreadable},
		"invalid unionid": {idPlatform{openid: "o1", unionid: "u\r\n"}, auth.ErrWeChatUnreadable},
	} {
		service := auth.NewService(auth.Config{
			Apps:   map[auth.AppID]auth.Platform{theApp: row.platform},
			Tokens: plainTokens{}, Store: &onlyStore{},
		})
		grant, err := service.Login(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS})
		if !errors.Is(err, row.want) || err == nil && (grant.Identity.OpenID != row.platform.openid || grant.Identity.UnionID != row.platform.unionid) {
			t.Errorf("%s: got %+v, %v, want %v", name, grant, err, row.want)
		}
		if _, err := service.Login(t.Context(), "wx2", "code", auth.Client{Device: auth.DeviceIOS}); !errors.Is(err, auth.ErrUnknownApp) {
			t.Errorf("%s: got %v, want ErrUnknownApp", name, err)
		}
	}
}

// revokingStore revokes the user before each of the first Creates.
type revokingStore struct {
	onlyStore
	revocations int
	notAfter    time.Time
}

func (s *revokingStore) Create(ctx context.Context, session *auth.Session, key auth.SessionKey, limit auth.SessionLimit) ([]auth.SessionID, error) {
	if s.revocations > 0 {
		s.revocations--
		s.notAfter = s.notAfter.Add(time.Minute)
		return nil, &auth.CreatedTooEarlyError{NotAfter: s.notAfter}
	}
	return s.onlyStore.Create(ctx, session, key, limit)
}

// TestLoginDuringRevocations: a login starts a session after the last revocation of the
// user, or gives up.
func TestLoginDuringRevocations(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	for revocations, want := range map[int]struct {
		began time.Time
		err   error
	}{
		0: {began: now},
		1: {began: now.Add(time.Minute + time.Millisecond)},
		2: {began: now.Add(2*time.Minute + time.Millisecond)},
		3: {err: auth.ErrStoreUnavailable},
	} {
		service := auth.NewService(auth.Config{
			Apps:   map[auth.AppID]auth.Platform{theApp: onlyPlatform{}},
			Tokens: plainTokens{}, Store: &revokingStore{revocations: revocations, notAfter: now},
			Now: func() time.Time { return now },
		})
		grant, err := service.Login(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS})
		if !errors.Is(err, want.err) || err == nil && !grant.Identity.Session.Began().Equal(want.began) {
			t.Errorf("%d revocations: %+v, %v, want %v, %v", revocations, grant, err, want.began, want.err)
		}
	}
}

// spentPlatform fails the test when a code is spent.
type spentPlatform struct {
	auth.Platform
	t *testing.T
}

func (p spentPlatform) Exchange(context.Context, string) (auth.LoginResult, error) {
	p.t.Error("the code was spent")
	return auth.LoginResult{OpenID: "o1"}, nil
}

// TestLoginKeepsTheCodeWhileTheStoreIsDown: while the store is known to be down, a login does not
// spend its code.
func TestLoginKeepsTheCodeWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	down := fmt.Errorf("%w: unplugged", auth.ErrStoreUnavailable)
	service := auth.NewService(auth.Config{
		Apps:   map[auth.AppID]auth.Platform{theApp: spentPlatform{t: t}},
		Tokens: plainTokens{}, Store: &onlyStore{},
		Access: time.Hour, Refresh: theLife, Idle: theLife,
		Available: func(context.Context) error { return down },
	})
	if _, err := service.Login(t.Context(), theApp, "code", auth.Client{Device: auth.DeviceIOS}); !errors.Is(err, down) {
		t.Errorf("got %v, want %v", err, down)
	}
}

// riskyPlatform returns a risk, and records the address that it was called with.
type riskyPlatform struct {
	onlyPlatform
	risk    auth.Risk
	err     error
	address string
}

func (p *riskyPlatform) Risk(_ context.Context, _ auth.OpenID, address string) (auth.Risk, error) {
	p.address = address
	return p.risk, p.err
}

// TestLoginRisk: a login asks for the risk with the client's address, keeps it in the
// session, and succeeds without one. A refresh does not change it.
func TestLoginRisk(t *testing.T) {
	t.Parallel()
	for name, platform := range map[string]*riskyPlatform{
		"ranked":    {risk: 4},
		"no risk":   {risk: 1},
		"not asked": {},
		"failed":    {err: auth.ErrWeChatBusy},
	} {
		store := &onlyStore{}
		service := auth.NewService(auth.Config{
			Apps:   map[auth.AppID]auth.Platform{theApp: platform},
			Tokens: plainTokens{}, Store: store, Access: time.Hour, Refresh: theLife, Idle: theLife,
		})
		grant, err := service.Login(t.Context(), theApp, "code", auth.Client{Address: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		if session, _, _ := store.look(); grant.Identity.Risk != platform.risk || session.Risk != platform.risk || !errors.Is(grant.Unranked, platform.err) || platform.address != "192.0.2.1" {
			t.Errorf("%s: %+v, asked for %q, in the store %v", name, grant, platform.address, session.Risk)
		}
		asked := platform.risk
		platform.risk = 2
		again, err := service.Refresh(t.Context(), grant.RefreshToken, anyApp)
		if err != nil || again.Identity.Risk != asked || again.Unranked != nil {
			t.Errorf("%s: after a refresh %+v, %v", name, again, err)
		}
	}
}

func TestRiskRanks(t *testing.T) {
	t.Parallel()
	for rank := -1; rank <= auth.MaxRiskRank+1; rank++ {
		risk, ok := auth.RiskOf(rank)
		got, known := risk.Rank()
		if ok != (rank >= 0 && rank <= auth.MaxRiskRank) || ok != known || ok && (got != rank || risk.String() != fmt.Sprint(rank)) {
			t.Errorf("rank %d is %v, %v, and then %d, %v, %s", rank, risk, ok, got, known, risk)
		}
	}
	if unknown := auth.Risk(0).String(); unknown != "unknown" {
		t.Errorf("no rank is %s", unknown)
	}
}
