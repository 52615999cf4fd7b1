package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	platforms "github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// oracleSite does not limit the rate of attempts, so that only the limit on failures can stop the
// attack.
const oracleSite = "limit decode 100000/1m\n\t\theaders {\n\t\t\tphone X-WX-PHONE\n\t\t}"

func kuaishouApp() wechatsim.App {
	for _, app := range wechatsim.Siblings() {
		if app.Platform == wechatsim.Kuaishou {
			return app
		}
	}
	return wechatsim.App{}
}

// withKuaishou adds the Kuaishou app to a configuration, with options.
func withKuaishou(config, options string) string {
	app := kuaishouApp()
	block := fmt.Sprintf("app %s %s {\n\t\t\tplatform kuaishou\n\t\t\tapi {{.API}}%s\n\t\t\t%s\n\t\t}\n\t\tstore ", app.ID, app.Secret, app.Platform.Prefix(), options)
	return strings.Replace(config, "store ", block, 1)
}

var oracleAttacks = map[string]struct {
	user   wechatsim.User
	stages map[int]oracleStage
}{
	"wechat":   {wechatsim.User{App: wechatsim.DefaultApp.ID, Name: "mallory"}, weixinStages},
	"kuaishou": {wechatsim.User{App: kuaishouApp().ID, Name: "mallory"}, kuaishouStages},
}

// TestOracleAttackIsReal: without the limit on failures, the attack forges a number that passes
// every check of the data.
func TestOracleAttackIsReal(t *testing.T) {
	t.Parallel()
	for name, row := range oracleAttacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, err := simserver.Start(t.Context(), simConfig())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sim.Close() })
			if _, err := sim.Sim.RotateSessionKey(row.user); err != nil {
				t.Fatal(err)
			}
			platform := platforms.WeChat
			if row.user.App == kuaishouApp().ID {
				platform = platforms.Kuaishou
			}
			client, err := platforms.New(platforms.Config{Platform: platform, AppID: auth.AppID(row.user.App), Secret: "unused", TrustUnmarked: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			key, err := sim.Sim.SessionKey(row.user)
			if err != nil {
				t.Fatal(err)
			}
			attack := newOracleAttack(t, sim.Sim, row.user, func(data auth.OpenData) string {
				opened, err := client.Open([]auth.SessionKey{{Key: key}}, data)
				if err != nil {
					return ""
				}
				return string(opened.JSON)
			})
			if !attack.forge(row.stages) {
				t.Errorf("the attack forged no number in %d attempts, so that it tests nothing", attack.sent)
			}
			t.Logf("forged a number in %d attempts", attack.sent)
		})
	}
}

// TestOracleForgesNoPhoneNumber attacks one machine and two machines: a user makes the gateway
// decrypt chosen blocks in order to encrypt another number.
func TestOracleForgesNoPhoneNumber(t *testing.T) {
	for name, row := range oracleAttacks {
		t.Run(name+" on bolt", func(t *testing.T) {
			config := withKuaishou(site, "encrypted_phone verified")
			f := newFixture(t, strings.Replace(config, "\twxgate\n", "\twxgate {\n\t\t"+oracleSite+"\n\t}\n", 1))
			f.refuseOracle(row.user, row.stages, f)
		})
		t.Run(name+" on two machines", func(t *testing.T) {
			here := newSharedFixture(t, startRedis(t), oracleSite)
			here.config = withKuaishou(here.config, "encrypted_phone verified")
			here.load()
			here.refuseOracle(row.user, row.stages, here, here.replica())
		})
	}
}

// maxKeyFailures is how many attempts on one session_key may fail.
const maxKeyFailures = 16

// refuseOracle attacks machines in turn, and fails the test unless the limit stops the attack.
func (f *fixture) refuseOracle(user wechatsim.User, stages map[int]oracleStage, machines ...*fixture) {
	f.t.Helper()
	login := f.beginSession(user)
	failed := 0
	attack := newOracleAttack(f.t, f.sim.Sim, user, func(data auth.OpenData) string {
		machine := machines[failed%len(machines)]
		a := machine.decode(wechatsim.Encrypted{EncryptedData: data.EncryptedData, IV: data.IV}, login.str(f.t, "session_key"))
		if a.status == http.StatusOK {
			return a.body
		}
		failed++
		return ""
	})
	if attack.forge(stages) {
		f.t.Fatalf("a phone number was forged in %d attempts", attack.sent)
	}
	if failed < maxKeyFailures {
		f.t.Fatalf("the attack ended after %d failures, before the limit", failed)
	}
	// No machine decrypts data with the attacked session_key any more.
	for _, machine := range machines {
		a := machine.decode(f.encryptedPhone(user, wechatsim.Sealing{SessionKey: attack.key}), login.str(f.t, "session_key"))
		if a.status == http.StatusOK {
			f.t.Errorf("a locked session_key decrypted data: %s", a.body)
		}
	}
	// The user is not locked out: another session_key decrypts data.
	handle := f.beginSession(user).str(f.t, "session_key")
	f.decode(f.encryptedPhone(user, wechatsim.Sealing{}), handle).want(f.t, http.StatusOK, "")
}

// beginSession logs a user of any app in.
func (f *fixture) beginSession(user wechatsim.User) response {
	f.t.Helper()
	code, err := f.sim.Sim.MintCode(user, wechatsim.Login{})
	if err != nil {
		f.t.Fatal(err)
	}
	a := f.do("POST", pub+"/openId", fmt.Sprintf(`{"code":%q,"appid":%q}`, code.Code, user.App))
	a.want(f.t, http.StatusOK, "")
	return a
}

// TestStaleDataLocksNoKey: a client that sometimes sends data of an earlier session_key does not
// lock the key.
func TestStaleDataLocksNoKey(t *testing.T) {
	f := newFixture(t, site)
	login := f.login("alice")
	alice := wechatsim.User{Name: "alice"}
	handle := login.str(t, "session_key")
	stale := f.encryptedPhone(alice, wechatsim.Sealing{SessionKey: "AAAAAAAAAAAAAAAAAAAAAA=="})
	good := f.encryptedPhone(alice, wechatsim.Sealing{})
	for range 8 {
		f.decode(stale, handle).want(t, http.StatusBadRequest, "decrypt_failed")
		f.decode(good, handle).want(t, http.StatusOK, "")
	}
}

func (f *fixture) encryptedPhone(u wechatsim.User, how wechatsim.Sealing) wechatsim.Encrypted {
	f.t.Helper()
	sealed, err := f.sim.Sim.EncryptPhone(u, wechatsim.PhoneNumber{Number: ownNumber}, how)
	if err != nil {
		f.t.Fatal(err)
	}
	return sealed
}

func (f *fixture) decode(sealed wechatsim.Encrypted, handle string) response {
	f.t.Helper()
	return f.do("POST", pub+"/decode", fmt.Sprintf(`{"encrypted_data":%q,"iv":%q,"session_key":%q}`, sealed.EncryptedData, sealed.IV, handle))
}
