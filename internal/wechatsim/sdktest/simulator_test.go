package sdktest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root is the folder of wxgate's own module.
const root = "../../.."

// environment is that of the tests, without the proxy that SDKs in Go use.
var environment = os.Environ()

// patience is how long one step may take on a machine that does much else.
const patience = 2 * time.Minute

// app is the first mini program that `wxgate sim` knows.
const (
	appID     = "wx0000000000000001"
	appSecret = "00000000000000000000000000000001"
)

// official is the official account that `wxgate sim` knows.
const (
	officialID     = "wx0000000000000004"
	officialSecret = "00000000000000000000000000000004"
)

// simulator is the `wxgate sim` of all tests: its addresses, and the file of its CA.
var simulator struct{ api, controls, proxy, ca string }

func TestMain(m *testing.M) {
	code, err := runWithSimulator(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// runWithSimulator builds wxgate, and runs the tests while `wxgate sim` runs.
func runWithSimulator(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "wxgate-sdk")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "wxgate")
	if said, err := exec.Command("go", "build", "-C", root, "-o", binary, "./cmd/wxgate").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building wxgate: %w: %s", err, said)
	}
	simulator.ca = filepath.Join(dir, "ca.pem")
	sim := exec.Command(binary, "sim", "--api", "127.0.0.1:0", "--management", "127.0.0.1:0", "--proxy", "127.0.0.1:0", "--ca", simulator.ca)
	sim.Stderr = os.Stderr
	out, err := sim.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := sim.Start(); err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, sim.Process.Signal(syscall.SIGINT))
		err = errors.Join(err, sim.Wait())
	}()
	lines := bufio.NewScanner(out)
	for simulator.proxy == "" {
		if !lines.Scan() {
			return 0, fmt.Errorf("wxgate sim printed no addresses: %w", lines.Err())
		}
		if address, ok := strings.CutPrefix(lines.Text(), "api "); ok {
			simulator.api = strings.TrimSpace(address)
		}
		if address, ok := strings.CutPrefix(lines.Text(), "controls "); ok {
			simulator.controls = strings.TrimSuffix(strings.TrimSpace(address), "/")
		}
		if address, ok := strings.CutPrefix(lines.Text(), "proxy "); ok {
			simulator.proxy = strings.TrimSpace(address)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	// For SDKs in Go without an option for the address: as the page says, but here before the
	// first request, because net/http reads the variables once.
	err = errors.Join(os.Setenv("HTTPS_PROXY", simulator.proxy), os.Setenv("SSL_CERT_FILE", simulator.ca))
	if err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// client makes the calls of the controls.
var client = &http.Client{Timeout: patience}

// control makes a call of the controls that must succeed.
func control(t *testing.T, method, path, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, simulator.controls+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %d %s %v", method, path, response.StatusCode, said, err)
	}
	return string(said)
}

// get makes a GET of the controls about a user of the first app.
func get(t *testing.T, path, user string) string {
	t.Helper()
	return control(t, http.MethodGet, path+"?user="+user, "")
}

// person is a user as `wxgate sim` knows them.
type person struct {
	AppID      string `json:"appid"`
	Name       string `json:"user"`
	OpenID     string `json:"openid"`
	UnionID    string `json:"unionid"`
	Phone      string `json:"phone"`
	SessionKey string `json:"session_key"`
}

// personOf returns a user of the first app.
func personOf(t *testing.T, name string) person {
	t.Helper()
	var all []person
	if err := json.Unmarshal([]byte(control(t, http.MethodGet, "/users", "")), &all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.AppID == appID && p.Name == name {
			return p
		}
	}
	t.Fatalf("the simulator does not know %s", name)
	return person{}
}

// sealed is what a phone encrypted.
type sealed struct {
	Data string `json:"encrypted_data"`
	IV   string `json:"iv"`
}

// encryptedPhone is a phone number as the button gave it before there were codes.
func encryptedPhone(t *testing.T, user string) sealed {
	t.Helper()
	var s sealed
	if err := json.Unmarshal([]byte(get(t, "/encrypted-phone", user)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantErrcode checks that an SDK reports WeChat's errcode.
func wantErrcode(t *testing.T, err error, errcode string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), errcode) {
		t.Errorf("error = %v, want errcode %s", err, errcode)
	}
}

// background is a context for SDKs that end with the test.
func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
