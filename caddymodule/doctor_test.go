package caddymodule_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/doctor"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// examine runs `wxgate doctor --json` on the fixture's configuration.
func (f *fixture) examine() ([]doctor.Finding, error) {
	f.t.Helper()
	out, err := f.command("doctor", "--json", "--config", f.copyConfig(), "--adapter", "caddyfile")
	var found []doctor.Finding
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		f.t.Fatalf("%v:\n%s", err, out)
	}
	return found, err
}

// unhealthy returns the findings that make the command fail.
func unhealthy(found []doctor.Finding) []doctor.Finding {
	var bad []doctor.Finding
	for _, f := range found {
		if f.Status == doctor.Failed {
			bad = append(bad, f)
		}
	}
	return bad
}

// TestDoctor makes each check fail, and expects no other check to fail.
func TestDoctor(t *testing.T) {
	for name, test := range map[string]struct {
		config  siteWith
		prepare func(*fixture)
		check   string // the one that fails; empty if none does
		text    string
	}{
		"healthy": {},
		"configuration": {
			config: siteWith{handler: "prefix wrong"},
			check:  doctor.CheckConfiguration, text: "prefix",
		},
		"API": {
			prepare: func(f *fixture) { _ = f.sim.Close() }, // the fixture closes it again
			check:   doctor.CheckAPI, text: "connection refused",
		},
		"AppSecret": {
			prepare: func(f *fixture) { f.t.Setenv("WXGATE_TEST_SECRET", strings.Repeat("f", 32)) },
			check:   doctor.CheckCredentials, text: "The AppSecret is wrong",
		},
		"IP allow-list": {
			prepare: func(f *fixture) {
				if err := f.sim.Sim.Arm(fault.Fault{Path: "/cgi-bin/stable_token", Kind: fault.ErrCode, ErrCode: 40164}); err != nil {
					f.t.Fatal(err)
				}
			},
			check: doctor.CheckCredentials, text: "Add this machine's address",
		},
		"literal secret": {
			config: siteWith{wxgate: "secret 0123456789abcdef0123456789abcdef"},
			check:  doctor.CheckSecrets, text: "in the configuration itself",
		},
		"literal key of api_security": {
			config:  siteWith{apps: strings.NewReplacer("{file.{{.Dir}}/wx_encrypt.key}", "otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY=", "MORE", "").Replace(securedApp)},
			prepare: (*fixture).secure,
			check:   doctor.CheckSecrets, text: "in the configuration itself",
		},
		"public admin API": {
			config: siteWith{global: "admin 0.0.0.0:{{.Free}}"},
			check:  doctor.CheckAdmin, text: "other machines can reach it",
		},
		"another process at the admin API": {
			config: siteWith{global: "admin {{.Admin}}"},
			check:  doctor.CheckVersions, text: "returned 404 Not Found for its status",
		},
		"public upstream": {
			config: siteWith{routes: "reverse_proxy /other 127.0.0.1:{{.Public}}"},
			check:  doctor.CheckUpstream, text: "also listens on",
		},
		"file mode of the store": {
			prepare: func(f *fixture) { f.write("wxgate.db", 0o644) },
			check:   doctor.CheckFiles, text: "chmod 600",
		},
		"file mode of a named secret": {
			config:  siteWith{wxgate: "secret {file.{{.Dir}}/root.secret}"},
			prepare: func(f *fixture) { f.writeSecret("root.secret", 0o644) },
			check:   doctor.CheckFiles, text: "root.secret",
		},
		"a named secret that the group can read": {
			config:  siteWith{wxgate: "secret {file.{{.Dir}}/root.secret}"},
			prepare: func(f *fixture) { f.writeSecret("root.secret", 0o640) },
		},
		"store": {
			prepare: func(f *fixture) { f.write("blocked", 0o600) },
			config:  siteWith{store: "bolt {{.Dir}}/blocked/wxgate.db"},
			check:   doctor.CheckStore, text: "write access",
		},
		"storage": {
			prepare: func(f *fixture) { f.write("caddy", 0o600) },
			check:   doctor.CheckStorage, text: "write access",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newStoppedFixture(t, simConfig(), adminPorts(t, publicPort(t, test.config.String())))
			if test.prepare != nil {
				test.prepare(f)
			}
			found, err := f.examine()
			if (err != nil) != (test.check != "") {
				t.Errorf("the command returned %v", err)
			}
			for _, bad := range unhealthy(found) {
				if bad.Check != test.check && !follows(bad, test.check) {
					t.Errorf("%s failed too: %s", bad.Check, bad.Detail)
				}
			}
			if test.check != "" && !hasFinding(unhealthy(found), test.check, test.text) {
				t.Errorf("no failed %s with %q: %v", test.check, test.text, found)
			}
		})
	}
}

// follows reports whether the check of a finding also fails whenever another check fails.
func follows(f doctor.Finding, check string) bool {
	switch check {
	case doctor.CheckAPI:
		return f.Check == doctor.CheckCredentials
	case doctor.CheckStorage, doctor.CheckStore:
		return f.Check == doctor.CheckFiles // below a folder that is a file
	}
	return false
}

func hasFinding(found []doctor.Finding, check, text string) bool {
	for _, f := range found {
		if f.Check == check && strings.Contains(f.Detail+". "+f.Advice, text) {
			return true
		}
	}
	return false
}

// write writes a file into the fixture's folder.
func (f *fixture) write(name string, mode os.FileMode) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), nil, mode); err != nil {
		f.t.Fatal(err)
	}
}

// writeSecret writes a root secret into the fixture's folder.
func (f *fixture) writeSecret(name string, mode os.FileMode) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(strings.Repeat("0123456789abcdef", 3)), mode); err != nil {
		f.t.Fatal(err)
	}
}

// adminPorts replaces {{.Free}} with a port that no process uses, and {{.Admin}} with the
// address of a server that has no admin API.
func adminPorts(t *testing.T, config string) string {
	t.Helper()
	_, free, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	return strings.NewReplacer("{{.Free}}", free, "{{.Admin}}", other.Listener.Addr().String()).Replace(config)
}

// publicPort replaces {{.Public}} with a port that a process accepts connections to on all
// addresses of this machine.
func publicPort(t *testing.T, config string) string {
	t.Helper()
	if !strings.Contains(config, "{{.Public}}") {
		return config
	}
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(config, "{{.Public}}", port)
}

// TestDoctorRedis checks a durable server, one that keeps nothing on disk, one that evicts keys,
// and servers that are down.
func TestDoctorRedis(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		text string // of the failed finding; empty if all checks pass
	}{
		"durable":       {[]string{"--appendonly", "yes"}, ""},
		"keeps nothing": {nil, "keeps nothing on disk"},
		"evicts":        {[]string{"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"}, "maxmemory-policy is allkeys-lru"},
	} {
		t.Run(name, func(t *testing.T) {
			redis := startRedis(t, test.args...)
			f := newStoppedFixture(t, simConfig(), siteWith{store: "redis redis://" + redis.addr, wxgate: "secret {env.WXGATE_TEST_ROOT}"}.String())
			t.Setenv("WXGATE_TEST_ROOT", strings.Repeat("r", 32))
			found, err := f.examine()
			if (err != nil) != (test.text != "") || test.text != "" && !hasFinding(unhealthy(found), doctor.CheckStore, test.text) {
				t.Errorf("%v %v", err, found)
			}
			redis.kill()
			if found, _ := f.examine(); !hasFinding(unhealthy(found), doctor.CheckStore, "Check that Redis runs") {
				t.Errorf("without Redis: %v", found)
			}
		})
	}
}

// TestDoctorPrints compares the lines that an operator reads.
func TestDoctorPrints(t *testing.T) {
	f := newStoppedFixture(t, simConfig(), siteWith{}.String())
	out, err := f.command("doctor", "--config", f.copyConfig(), "--adapter", "caddyfile")
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	for _, line := range []string{
		"ok           configuration  " + filepath.Join(f.dir, "Caddyfile") + ": it loads\n",
		"warning      admin          off: commands such as `wxgate keys` cannot reach the gateway. Use a socket: ",
		"ok           credentials    " + wechatsim.DefaultApp.ID + ": the platform accepts the appid and the secret from this address\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
}

// versionsOf returns the finding of the check of versions.
func (f *fixture) versionsOf() doctor.Finding {
	f.t.Helper()
	found, err := f.examine()
	for _, v := range found {
		if v.Check == doctor.CheckVersions {
			return v
		}
	}
	f.t.Fatalf("no finding about versions: %v %v", found, err)
	return doctor.Finding{}
}

// TestDoctorVersions compares this binary with gateways at a socket and at a port: with the
// running gateway, with one of another version, and with none.
func TestDoctorVersions(t *testing.T) {
	f := newOperatedFixture(t)
	f.load()
	own, _, _ := strings.Cut(f.operate("status"), ", up ")
	if _, full := caddy.Version(); !strings.HasPrefix(own, "wxgate 0.") || !strings.HasSuffix(own, ", Caddy "+strings.Fields(full)[0]+", "+runtime.Version()) {
		t.Errorf("the status begins with %q", own)
	}
	if v := f.versionsOf(); v.Status != doctor.OK || v.Detail != "the running gateway is this binary: "+own {
		t.Errorf("over the socket: %+v", v)
	}
	socket := f.config
	f.config = strings.Replace(socket, "admin unix/{{.Dir}}/admin.sock", "admin "+freeAddr(t), 1)
	f.load()
	if v := f.versionsOf(); v.Status != doctor.OK {
		t.Errorf("over a port: %+v", v)
	}
	f.config = strings.Replace(socket, "admin unix/{{.Dir}}/admin.sock", "admin "+freeAddr(t), 1)
	if v := f.versionsOf(); v.Status != doctor.NotChecked || !strings.HasPrefix(v.Detail, "this is "+own+"; no gateway responds: ") {
		t.Errorf("without a gateway: %+v", v)
	}

	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/wxgate/status" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(`{"version":"0.0.9","go":"go1.20"}`))
	}))
	t.Cleanup(other.Close)
	f.config = strings.Replace(socket, "admin unix/{{.Dir}}/admin.sock", "admin "+other.Listener.Addr().String(), 1)
	v := f.versionsOf()
	if v.Status != doctor.Warning || !strings.Contains(v.Detail, "another version of wxgate and Caddy and Go: it is wxgate 0.0.9, Caddy unknown, go1.20; this is "+own) || !strings.HasPrefix(v.Advice, "Restart the gateway") {
		t.Errorf("with a gateway of another version: %+v", v)
	}
}
