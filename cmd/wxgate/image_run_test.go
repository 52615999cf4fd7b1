package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// containerUser is the user of the image.
const containerUser = 65532

// asRoot prepares what a container runtime does: it makes the image's files read-only, and
// mounts the writable folders. [sandbox] then starts the process as another user, without
// capabilities. The arguments are the folder of the files, the folder of the volume, and the
// command.
const asRoot = `set -e
root=$1 state=$2; shift 2
mount --bind "$root" "$root"
mount --bind "$state" "$root/var/lib/wxgate"
mount -t tmpfs -o mode=0700,uid=OWNER,gid=OWNER tmpfs "$root/run/wxgate"
mount --rbind /proc "$root/proc"
mount -o remount,bind,ro "$root"
`

// sandbox returns the command that runs a command in the unpacked image. Without root, user
// namespaces do the same: the user is root while it mounts, and the image's user afterwards.
func sandbox(root, state string, command []string) []string {
	const id = "65532"
	script := strings.ReplaceAll(asRoot, "OWNER", id) + `exec chroot --userspec=` + id + `:` + id + ` "$root" "$@"`
	start := []string{"unshare", "--mount", "--propagation", "private"}
	if os.Geteuid() != 0 {
		script = strings.ReplaceAll(asRoot, "OWNER", "0") + `exec unshare --user --map-user=` + id + ` --map-group=` + id + ` --root="$root" --wd=/ "$@"`
		start = append(start, "--user", "--map-root-user")
	}
	return append(append(start, "sh", "-c", script, "sh", root, state), command...)
}

// runImage unpacks the image and runs it as a container runtime would: as a user without
// privileges and with a read-only file system. A login succeeds, and its session is stored in
// the volume.
func runImage(t *testing.T, image imageLayout) {
	needCommand(t, "unshare", "util-linux")
	dir := shortDir(t)
	root, state := filepath.Join(dir, "root"), filepath.Join(dir, "state")
	image.unpack(t, root)
	for name, mode := range map[string]os.FileMode{state: 0o700, filepath.Join(root, "proc"): 0o755, filepath.Join(root, "run", "secrets"): 0o755} {
		if err := os.Mkdir(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, secret := range map[string]string{"wx_secret": wechatsim.DefaultApp.Secret, "root_secret": strings.Repeat("root secret ", 3)} {
		if err := os.WriteFile(filepath.Join(root, "run", "secrets", name), []byte(secret), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		for _, name := range []string{root, state} {
			if err := os.Chmod(name, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(state, containerUser, containerUser); err != nil {
			t.Fatal(err)
		}
	}
	s, err := newSurroundings(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	metrics, err := ports.Take()
	if err != nil {
		t.Fatal(err)
	}
	env := append([]string{"env", "-i", "METRICS_PORT=" + strconv.Itoa(metrics)}, image.config.Config.Env...)
	for _, v := range s.env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "WX_APPID", "WX_API", "UPSTREAM", "PORT":
			env = append(env, v)
		}
	}
	command := sandbox(root, state, append(image.config.Config.Entrypoint, image.config.Config.Cmd...))
	env = append(env, "PATH="+os.Getenv("PATH"))
	p := startProcess(t, dir, nil, env[0], append(env[1:], command...)...)
	if err := waitReady(s.url); err != nil {
		t.Fatal(err)
	}
	checkConfined(t, p.cmd.Process.Pid)
	login, err := s.login("alice")
	if err != nil || login.status != http.StatusOK {
		t.Fatalf("login: %d %s %v", login.status, login.body, err)
	}
	orders, err := ask(http.MethodGet, s.url+"/orders", "", "Authorization: Bearer "+login.member("access_token"))
	if err != nil || orders.body != "openid="+login.member("openId") {
		t.Errorf("the upstream returned %d %q %v", orders.status, orders.body, err)
	}
	scraped, err := ask(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics), "")
	if err != nil || !strings.Contains(scraped.body, "\nwxgate_") {
		t.Errorf("metrics: %d %v", scraped.status, err)
	}
	p.kill()
	if info, err := os.Stat(filepath.Join(state, "wxgate.db")); err != nil || info.Size() == 0 {
		t.Errorf("the store is not in the volume: %v", err)
	}
}

// checkConfined checks that a process has a read-only root, no capabilities and, as far as this
// user can see, the image's user.
func checkConfined(t *testing.T, pid int) {
	t.Helper()
	mounts := readProc(t, pid, "mountinfo")
	readOnly := false
	for line := range strings.Lines(mounts) {
		if fields := strings.Fields(line); fields[4] == "/" {
			readOnly = strings.HasPrefix(fields[5], "ro,") || fields[5] == "ro"
		}
	}
	if !readOnly {
		t.Errorf("the root is not read-only:\n%s", mounts)
	}
	owner := os.Geteuid() // of a user namespace
	if owner == 0 {
		owner = containerUser
	}
	status := readProc(t, pid, "status")
	for _, want := range []string{"CapEff:\t0000000000000000\n", fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", owner)} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in:\n%s", want, status)
		}
	}
}

func readProc(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
