package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

var fixtureVersion = flag.String("wxgate.fixture", "", "the version whose state TestUpgrade writes to testdata/upgrade; run it again after 20 seconds to read it")

const (
	upgradeFolder = "testdata/upgrade"
	fixtureBolt   = "bolt"      // a folder with wxgate.db, and with Caddy's storage in caddy/wxgate
	fixtureRedis  = "redis.rdb" // written by the command SAVE of Redis
	boltTokens    = "bolt-tokens.json"
	redisTokens   = "redis-tokens.json"
)

// longLived are the settings of fixtures, whose sessions are used years later. An access token
// is valid for at most 30 days: see [judgeAccess].
const longLived = `alg EdDSA
			access 30d
			refresh 7300d idle 7300d
			rotate 7300d`

// credentials are what a client of the earlier version stored.
type credentials struct {
	OpenID    string              `json:"openid"`
	Access    string              `json:"access"`
	Refresh   string              `json:"refresh"`
	Replaced  string              `json:"replaced,omitempty"` // the previous refresh token
	Handle    string              `json:"handle"`
	Encrypted wechatsim.Encrypted `json:"encrypted,omitzero"`
	Phone     string              `json:"phone,omitempty"`
}

// TestUpgrade starts this version on the state of each earlier version: sessions, session keys,
// revocations, signing keys and the root secret, in the file of store bolt and in Redis. The
// credentials of clients are accepted or refused as before the upgrade.
func TestUpgrade(t *testing.T) {
	needRedis(t)
	if *fixtureVersion != "" {
		writeFixture(t, filepath.Join(upgradeFolder, *fixtureVersion))
		return // a refresh token that was just replaced is still valid
	}
	versions, err := os.ReadDir(upgradeFolder)
	if err != nil || len(versions) == 0 {
		t.Fatalf("no earlier version: %v", err)
	}
	for _, version := range versions {
		folder := filepath.Join(upgradeFolder, version.Name())
		t.Run(version.Name()+"/bolt", func(t *testing.T) {
			judgeAccess(t, folder)
			g, _ := newUpgraded(t)
			copyFolder(t, filepath.Join(folder, fixtureBolt), g.dir)
			g.root = "" // the root secret is in Caddy's storage
			g.start()
			judgeUpgrade(t, g, filepath.Join(folder, boltTokens))
			g.stop()
			g.checkStore()
			// The second start reads the files of the first.
			g.start()
			if r := g.send(http.MethodGet, pub+"/ready", "", ""); r.status != http.StatusOK {
				t.Errorf("ready after the second start: %d %s", r.status, r.body)
			}
		})
		t.Run(version.Name()+"/redis", func(t *testing.T) {
			g, _ := newUpgraded(t)
			g.store = "redis redis://" + restoredRedis(t, filepath.Join(folder, fixtureRedis)).addr
			g.start()
			judgeUpgrade(t, g, filepath.Join(folder, redisTokens))
		})
	}
}

// newUpgraded returns a gateway with the settings of the fixtures. The upstream responds with
// the user's openid and phone number.
func newUpgraded(t *testing.T) (*gateway, *wechatsim.Sim) {
	t.Helper()
	binary, err := exec.LookPath("wxgate") // this test binary; see TestMain
	if err != nil {
		t.Fatal(err)
	}
	sim, err := simserver.Start(t.Context(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Wx-Openid")+" "+r.Header.Get("X-Wx-Phone"))
	}))
	t.Cleanup(upstream.Close)
	g := newGateway(t, binary, sim.URL, strings.TrimPrefix(upstream.URL, "http://"))
	g.settings = longLived
	g.site = "headers {\n\t\t\tphone X-WX-PHONE\n\t\t}"
	g.app = "watermark 0" // accepts old encrypted data
	return g, sim.Sim
}

// restoredRedis starts a Redis with the data that another one saved.
func restoredRedis(t *testing.T, saved string) *redisServer {
	t.Helper()
	data, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	if err := os.WriteFile(filepath.Join(dir, fixtureRedis), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return newRedis(t, "--appendonly", "no", "--dir", dir, "--dbfilename", fixtureRedis)
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readCredentials(t *testing.T, tokens string) map[string]credentials {
	t.Helper()
	text, err := os.ReadFile(tokens)
	if err != nil {
		t.Fatal(err)
	}
	var clients map[string]credentials
	if err := json.Unmarshal(text, &clients); err != nil {
		t.Fatal(err)
	}
	return clients
}

// judgeUpgrade uses the credentials of clients of the earlier version; see [populateFixture].
func judgeUpgrade(t *testing.T, g *gateway, tokens string) {
	t.Helper()
	clients := readCredentials(t, tokens)
	expect := func(what string, r reply, status int, text string) {
		t.Helper()
		if r.status != status || !strings.Contains(r.body, text) {
			t.Errorf("%s: %d %s %v; want %d with %q", what, r.status, r.body, r.err, status, text)
		}
	}
	refresh := func(token string) reply {
		return g.send(http.MethodPost, pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token), "")
	}
	alice := clients["alice"]
	body := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, alice.Encrypted.EncryptedData, alice.Encrypted.IV, alice.Handle)
	expect("handle", g.send(http.MethodPost, pub+"/decode", body, ""), http.StatusOK, alice.Phone)
	renewed := refresh(alice.Refresh)
	expect("refresh token", renewed, http.StatusOK, "access_token")
	if pair, err := renewed.pair(); err != nil {
		t.Error(err)
	} else {
		expect("renewed access token", g.send(http.MethodGet, "/orders", "", pair.Access), http.StatusOK, alice.OpenID+" +86"+alice.Phone)
	}
	expect("Bob's refresh token after his logout", refresh(clients["bob"].Refresh), http.StatusUnauthorized, "session_revoked")
	expect("Erin's refresh token after the operator's logout", refresh(clients["erin"].Refresh), http.StatusUnauthorized, "session_revoked")
	expect("Carol's refresh token, whose key was retired", refresh(clients["carol"].Refresh), http.StatusOK, "access_token")
	expect("Dave's replaced refresh token", refresh(clients["dave"].Replaced), http.StatusUnauthorized, "refresh_reused")
	expect("Dave's refresh token after that", refresh(clients["dave"].Refresh), http.StatusUnauthorized, "session_revoked")
}
