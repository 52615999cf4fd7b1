package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// deployFolder has the files for installations.
var deployFolder = filepath.Join(moduleRoot, "deploy")

// needCommand skips a test if a command is not installed. CI installs it, and fails if a test
// is skipped.
func needCommand(t *testing.T, command, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		t.Skipf("no %s: install Debian's %s", command, debianPackage)
	}
}

// TestSystemdUnit checks the unit with systemd. The binary is replaced, because it is not
// installed here.
func TestSystemdUnit(t *testing.T) {
	needCommand(t, "systemd-analyze", "systemd")
	const binary = "/usr/local/bin/wxgate"
	unit := readDeployed(t, "systemd/wxgate.service")
	if n := strings.Count(unit, "="+binary+" "); n != 2 {
		t.Fatalf("%d commands run %s, want ExecStart and ExecReload", n, binary)
	}
	if took := shutdownTime(t, readDeployed(t, "systemd/Caddyfile")); !strings.Contains(unit, "\nTimeoutStopSec=40s\n") || took >= 40*time.Second {
		t.Errorf("TimeoutStopSec is not 40s, or the shutdown of wxgate, %v, takes longer", took)
	}
	file := filepath.Join(t.TempDir(), "wxgate.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, binary, "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	// Most warnings have exit code 0.
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	const worst = "--threshold=20" // an exposure of 2.0
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", worst, file).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestSystemdService does what the unit does: it starts wxgate with the Caddyfile and the
// credentials, waits for its notification, reloads it and stops it.
func TestSystemdService(t *testing.T) {
	dir := shortDir(t)
	s, err := newSurroundings(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	caddyfile := relocated(t, dir)
	notified := notifySocket(t, filepath.Join(dir, "notify"))
	env := append(s.env, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	unit := readDeployed(t, "systemd/wxgate.service")

	p := startProcess(t, dir, env, "wxgate", unitCommand(t, unit, "ExecStart", caddyfile)...)
	awaitNotice(t, notified, "READY=1")
	if err := waitReady(s.url); err != nil {
		t.Fatal(err)
	}
	login, err := s.login("alice")
	if err != nil || login.status != http.StatusOK {
		t.Fatalf("login: %d %s %v", login.status, login.body, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "wxgate.db")); err != nil {
		t.Errorf("the store is not in the state directory: %v", err)
	}
	reload := startProcess(t, dir, s.env, "wxgate", unitCommand(t, unit, "ExecReload", caddyfile)...)
	if <-reload.done; reload.err != nil {
		t.Errorf("reload: %v\n%s", reload.err, reload.output())
	}
	awaitNotice(t, notified, "RELOADING=1")
	awaitNotice(t, notified, "READY=1")
	p.signal(syscall.SIGTERM)
	awaitNotice(t, notified, "STOPPING=1")
	if <-p.done; p.err != nil {
		t.Errorf("stop: %v", p.err)
	}
}

func readDeployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shutdownTime returns how long a gateway with this Caddyfile serves after SIGTERM.
func shutdownTime(t *testing.T, caddyfile string) time.Duration {
	t.Helper()
	var sum time.Duration
	for _, option := range []string{"shutdown_delay", "grace_period"} {
		match := regexp.MustCompile(`(?m)^\s*` + option + ` (\S+)`).FindStringSubmatch(caddyfile)
		if match == nil {
			t.Fatalf("the Caddyfile has no %s", option)
		}
		d, err := time.ParseDuration(match[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += d
	}
	return sum
}

// relocated makes the folders of the unit's Caddyfile in dir, writes the Caddyfile with them
// there, and returns its path.
func relocated(t *testing.T, dir string) string {
	t.Helper()
	text := readDeployed(t, "systemd/Caddyfile")
	for from, to := range map[string]string{
		"/run/credentials/wxgate.service": "credentials", "/var/lib/wxgate": "state", "/run/wxgate": "run",
	} {
		if !strings.Contains(text, from) {
			t.Fatalf("the Caddyfile does not use %s", from)
		}
		text = strings.ReplaceAll(text, from, filepath.Join(dir, to))
		if err := os.Mkdir(filepath.Join(dir, to), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(text, "shutdown_delay 10s") {
		t.Fatal("the Caddyfile has another shutdown_delay")
	}
	text = strings.Replace(text, "shutdown_delay 10s", "shutdown_delay 100ms", 1)
	for name, value := range map[string]string{
		"Caddyfile":               text,
		"credentials/wx_secret":   wechatsim.DefaultApp.Secret,
		"credentials/root_secret": strings.Repeat("root secret ", 3),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "Caddyfile")
}

// unitCommand returns the arguments of a command of the unit, with another Caddyfile.
func unitCommand(t *testing.T, unit, name, caddyfile string) []string {
	t.Helper()
	for line := range strings.Lines(unit) {
		if command, ok := strings.CutPrefix(line, name+"=/usr/local/bin/wxgate "); ok {
			return strings.Fields(strings.Replace(command, "/etc/wxgate/Caddyfile", caddyfile, 1))
		}
	}
	t.Fatalf("the unit has no %s", name)
	return nil
}

// notifySocket returns a socket on which, as systemd, it receives notifications of the service.
func notifySocket(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// awaitNotice reads notifications until one has text.
func awaitNotice(t *testing.T, conn *net.UnixConn, text string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	notice := make([]byte, 4096)
	for {
		n, err := conn.Read(notice)
		if err != nil {
			t.Fatalf("waiting for the notification %s: %v", text, err)
		}
		if strings.Contains(string(notice[:n]), text) {
			return
		}
	}
}
