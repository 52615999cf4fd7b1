package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// writeFixture runs this version and keeps its state. Every release does this once:
//
//	go test ./cmd/wxgate -run TestUpgrade -wxgate.fixture 0.1.0
func writeFixture(t *testing.T, folder string) {
	t.Helper()
	if _, err := os.Stat(folder); err == nil {
		t.Fatalf("%s exists; a fixture is never written again, because only its own version can write it", folder)
	}
	if err := os.MkdirAll(filepath.Join(folder, fixtureBolt, "caddy"), 0o755); err != nil {
		t.Fatal(err)
	}
	bolt, sim := newUpgraded(t)
	bolt.root = ""
	populateFixture(writer{t, bolt, sim}, filepath.Join(folder, boltTokens))
	copyFolder(t, filepath.Join(bolt.dir, "caddy", "wxgate"), filepath.Join(folder, fixtureBolt, "caddy", "wxgate"))
	copyFile(t, filepath.Join(bolt.dir, "wxgate.db"), filepath.Join(folder, fixtureBolt, "wxgate.db"))

	server := newRedis(t, "--dbfilename", fixtureRedis)
	redis, sim := newUpgraded(t)
	redis.store = "redis redis://" + server.addr
	populateFixture(writer{t, redis, sim}, filepath.Join(folder, redisTokens))
	server.must("save")
	copyFile(t, filepath.Join(server.dir, fixtureRedis), filepath.Join(folder, fixtureRedis))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// populateFixture makes the requests of five users whose tokens [judgeUpgrade] uses, and stops
// the gateway.
func populateFixture(p writer, tokens string) {
	t, g := p.t, p.g
	t.Helper()
	g.start()
	clients := map[string]credentials{}

	// The key that signed Carol's access token is retired.
	clients["carol"] = p.login("carol")
	p.operate("/wxgate/keys/rotate", map[string]any{"immediate": true})
	p.operate("/wxgate/keys/retire", map[string]any{"key": keyOf(clients["carol"].Access)})

	// Alice has a verified phone number in her session, and encrypted data on her phone.
	alice := p.login("alice")
	data, err := p.sim.EncryptPhone(wechatsim.User{Name: "alice"}, wechatsim.PhoneNumber{}, wechatsim.Sealing{})
	if err != nil {
		t.Fatal(err)
	}
	alice.Encrypted, alice.Phone = data, wechatsim.FakePhone(alice.OpenID)
	p.decode("alice", alice.Access)
	failed := fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, data.EncryptedData[:64], data.IV, alice.Handle)
	if r := g.send(http.MethodPost, pub+"/decode", failed, ""); r.code() != "decrypt_failed" {
		t.Fatalf("a failed attempt to decrypt: %d %s %v", r.status, r.body, r.err)
	}
	clients["alice"] = alice

	// Bob logs out, and an operator ends Erin's sessions.
	clients["bob"], clients["erin"] = p.login("bob"), p.login("erin")
	p.ok(g.send(http.MethodPost, pub+"/logout", "", clients["bob"].Access))
	p.operate("/wxgate/user/logout", map[string]any{"app": wechatsim.DefaultApp.ID, "openid": clients["erin"].OpenID})

	// Dave's refresh token was replaced.
	dave := p.login("dave")
	dave.Replaced = dave.Refresh
	pair, err := p.ok(g.send(http.MethodPost, pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, dave.Refresh), "")).pair()
	if err != nil {
		t.Fatal(err)
	}
	dave.Access, dave.Refresh = pair.Access, pair.Refresh
	clients["dave"] = dave

	g.stop()
	text, err := json.MarshalIndent(clients, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tokens, append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writer sends the requests of the clients and the operator for a fixture: all must succeed.
type writer struct {
	t   *testing.T
	g   *gateway
	sim *wechatsim.Sim
}

func (p writer) ok(r reply) reply {
	p.t.Helper()
	if r.err != nil || r.status >= http.StatusMultipleChoices {
		p.t.Fatalf("%d %s %v", r.status, r.body, r.err)
	}
	return r
}

func (p writer) login(name string) credentials {
	p.t.Helper()
	code, err := p.sim.MintCode(wechatsim.User{Name: name}, wechatsim.Login{})
	if err != nil {
		p.t.Fatal(err)
	}
	r := p.ok(p.g.send(http.MethodPost, pub+"/openId", fmt.Sprintf(`{"code":%q}`, code.Code), ""))
	var in struct {
		OpenID  string `json:"openId"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Handle  string `json:"session_key"`
	}
	if err := json.Unmarshal([]byte(r.body), &in); err != nil {
		p.t.Fatal(err)
	}
	return credentials{OpenID: in.OpenID, Access: in.Access, Refresh: in.Refresh, Handle: in.Handle}
}

func (p writer) decode(name, token string) {
	p.t.Helper()
	code, err := p.sim.MintPhoneCode(wechatsim.User{Name: name}, wechatsim.PhoneNumber{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.ok(p.g.send(http.MethodPost, pub+"/decode", fmt.Sprintf(`{"code":%q}`, code.Code), token))
}

func (p writer) operate(path string, in map[string]any) {
	p.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	p.ok(p.g.operate(http.MethodPost, path, "application/json", body))
}
