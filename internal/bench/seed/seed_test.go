package seed

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const app = auth.AppID("wx0000000000000001")

func newKeys(t *testing.T) *Keys {
	t.Helper()
	k, err := New(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// gateway returns the tokens of a gateway that starts with the files in home.
func gateway(t *testing.T, home string) *token.Tokens {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(home, "caddy", "wxgate", "root_secret"))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := os.ReadFile(filepath.Join(home, "caddy", "wxgate", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	stored := &storage{bytes.Clone(blob)}
	ring, err := keyring.Open(t.Context(), keyring.Config{Storage: stored, Box: box, Issuer: issuer, Access: access})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored.blob, blob) {
		t.Error("the gateway had to change the keys")
	}
	tokens, err := token.New(token.Config{Ring: ring, Box: box})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	return tokens
}

// A gateway accepts the tokens as those of different users.
func TestGatewayAcceptsTokens(t *testing.T) {
	k, home := newKeys(t), t.TempDir()
	if err := k.Write(home); err != nil {
		t.Fatal(err)
	}
	const n = 50
	issued, err := k.Tokens(n)
	if err != nil || len(issued) != n {
		t.Fatalf("%d tokens, %v", len(issued), err)
	}
	accepts := gateway(t, home)
	users, sessions := map[auth.OpenID]bool{}, map[auth.SessionID]bool{}
	for _, one := range issued {
		id, err := accepts.Verify(one.Access)
		if err != nil {
			t.Fatal(err)
		}
		if string(id.OpenID) != one.OpenID || id.App != app || len(one.OpenID) != 28 || one.OpenID[0] != 'o' {
			t.Errorf("%+v for %q", id, one.OpenID)
		}
		users[id.OpenID], sessions[id.Session] = true, true
	}
	if len(users) != n || len(sessions) != n {
		t.Errorf("%d users and %d sessions in %d tokens", len(users), len(sessions), n)
	}
}

// The store is valid, opens with the gateway's secret, and has the requested entries.
func TestFill(t *testing.T) {
	k, home := newKeys(t), t.TempDir()
	if err := k.Write(home); err != nil {
		t.Fatal(err)
	}
	const sessions, revocations = commitEntries + 1, commitEntries / 2
	var reported []int
	if err := k.Fill(t.Context(), home, sessions, revocations, func(n int) { reported = append(reported, n) }); err != nil {
		t.Fatal(err)
	}
	found, err := bolt.Check(StorePath(home))
	if err != nil {
		t.Fatal(err)
	}
	if found.Sessions != sessions || found.Users != sessions || found.Keys != sessions || found.Revocations != revocations || len(found.Problems) > 0 {
		t.Errorf("%+v, want %d sessions and %d revocations", found, sessions, revocations)
	}
	if len(reported) != 2 || reported[0] != commitEntries || reported[1] != sessions+revocations {
		t.Errorf("reported %v", reported)
	}
}

// A session is like a session after a login: it has a refresh token, and outlives its access
// token.
func TestSessionIsLikeAfterALogin(t *testing.T) {
	now := time.Now()
	s := newKeys(t).session(now)
	if s.Refresh.Current == (auth.StartRefresh(auth.RefreshToken{})).Current || !s.AccessEnd.Equal(now.Add(time.Hour)) || !s.End().Equal(now.Add(7*24*time.Hour)) {
		t.Errorf("%+v", s)
	}
}
