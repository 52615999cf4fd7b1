package adminapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/wechat"
)

// personStore has a person with three users, of whom one cannot be erased.
type personStore struct {
	auth.Store
	erased []auth.User
}

var (
	personUsers = []auth.User{{App: "wx2", OpenID: "a"}, {App: "wx1", OpenID: "b"}, {App: "wx1", OpenID: "a"}}
	brokenUser  = auth.User{App: "wx1", OpenID: "b"}
	erasedUntil = time.Unix(1_800_000_000, 0)
)

func (*personStore) UsersOf(context.Context, auth.UnionID) ([]auth.User, error) {
	return slices.Clone(personUsers), nil
}

func (s *personStore) Erase(_ context.Context, u auth.User, _, _ time.Time) (auth.Erased, error) {
	if u == brokenUser {
		return auth.Erased{}, fmt.Errorf("%w: broken", auth.ErrStoreUnavailable)
	}
	s.erased = append(s.erased, u)
	return auth.Erased{Sessions: 2, SessionKeys: 1, Attempts: u.App == "wx2", RevokedUntil: erasedUntil.Add(time.Duration(len(s.erased)))}, nil
}

// TestEraseOfAPartFails: if one user of a person cannot be erased, the other users are erased,
// the receipt names the failed user, and the audit log has the code. If the request names the
// user by openid, the call fails.
func TestEraseOfAPartFails(t *testing.T) {
	store := new(personStore)
	rt := &gateway.Runtime{Platforms: map[auth.AppID]*wechat.Client{"wx1": nil, "wx2": nil}}
	rt.Service = auth.NewService(auth.Config{Apps: map[auth.AppID]auth.Platform{"wx1": nil, "wx2": nil}, Store: store})

	receipt, err := eraseUsers(t.Context(), rt, UsersRequest{App: "wx1", UnionID: "u"})
	if err != nil {
		t.Fatal(err)
	}
	want := []UserErased{
		{App: "wx1", OpenID: "a", Sessions: 2, SessionKeys: 1},
		{App: "wx1", OpenID: "b", Problem: "store_unavailable"},
		{App: "wx2", OpenID: "a", Sessions: 2, SessionKeys: 1},
	}
	if !slices.Equal(receipt.Users, want) {
		t.Errorf("users %+v", receipt.Users)
	}
	if !receipt.Found || receipt.Sessions != 4 || receipt.SessionKeys != 2 || !receipt.AttemptsKept || !receipt.TokensRefusedUntil.Equal(erasedUntil.Add(2)) {
		t.Errorf("receipt %+v", receipt)
	}
	if len(store.erased) != 2 || len(receipt.NotCovered) != len(notErased)+len(notFound) {
		t.Errorf("erased %v, not covered %v", store.erased, receipt.NotCovered)
	}
	if got := outcome(incomplete(receipt)); got != "store_unavailable" {
		t.Errorf("the audit log has the outcome %s", got)
	}
	if got := outcome(incomplete(Done{})); got != "ok" {
		t.Errorf("another response has the outcome %s", got)
	}

	if _, err := eraseUsers(t.Context(), rt, UsersRequest{App: "wx1", OpenID: "b"}); !errors.Is(err, auth.ErrStoreUnavailable) {
		t.Errorf("by openid: %v", err)
	}
	receipt, err = eraseUsers(t.Context(), rt, UsersRequest{App: "wx1", OpenID: "a"})
	if err != nil || receipt.Incomplete() != nil || len(receipt.Users) != 1 || len(receipt.NotCovered) != len(notErased) {
		t.Errorf("by openid: %+v, %v", receipt, err)
	}
}
