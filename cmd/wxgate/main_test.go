package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wxgate/wxgate/internal/freeport"
	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// TestMain makes this test binary the command wxgate: scripts and exec.Command("wxgate") run it
// as a separate process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wxgate": main})
}

// TestScripts runs the scripts of testdata/script. In addition to testscript's commands they
// have
//
//	ready                          waits until the gateway at $URL serves
//	login <user> [<unionid>]       logs in; sets $OPENID, $ACCESS, $REFRESH and $HANDLE
//	refresh                        refreshes with $REFRESH; sets $ACCESS and $REFRESH
//	http <status> <method> <path> [<body>] [<name: value>...]
//	                               sends a request to the gateway; prints the body
//	files <folder>                 prints the files of a folder
//
// $MANAGEMENT is the URL of the simulator's management API. The folder of a script has
// Caddyfile.example.
func TestScripts(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "..", "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			if err := os.WriteFile(filepath.Join(env.WorkDir, "Caddyfile.example"), example, 0o600); err != nil {
				return err
			}
			s, err := newSurroundings(env.WorkDir)
			if err != nil {
				return err
			}
			env.Defer(s.close)
			env.Vars = append(env.Vars, s.env...)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready":   scriptReady,
			"login":   scriptLogin,
			"refresh": scriptRefresh,
			"http":    scriptHTTP,
			"files":   scriptFiles,
		},
	})
}

// surroundings are what a gateway needs: the simulator, an upstream, and an environment that
// keeps its files in one folder.
type surroundings struct {
	sim      *simserver.Server
	upstream *httptest.Server
	url      string
	env      []string
}

func newSurroundings(dir string) (*surroundings, error) {
	sim, err := simserver.Start(testContext(), wechatsim.Config{})
	if err != nil {
		return nil, err
	}
	port, err := ports.Take()
	if err != nil {
		return nil, err
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "openid=%s", r.Header.Get("X-Wx-Openid"))
	}))
	s := &surroundings{sim: sim, upstream: upstream, url: "http://127.0.0.1:" + strconv.Itoa(port)}
	s.env = []string{
		"WX_APPID=" + wechatsim.DefaultApp.ID,
		"WX_SECRET=" + wechatsim.DefaultApp.Secret,
		"WX_API=" + sim.URL,
		"MANAGEMENT=" + sim.ManagementURL,
		"UPSTREAM=" + strings.TrimPrefix(upstream.URL, "http://"),
		"PORT=" + strconv.Itoa(port),
		"URL=" + s.url,
		"WXGATE_ADMIN=" + filepath.Join(dir, "admin.sock"),
		"HOME=" + dir,
		"XDG_DATA_HOME=" + filepath.Join(dir, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
	}
	return s, nil
}

func (s *surroundings) close() {
	s.upstream.Close()
	_ = s.sim.Close() // it fails if a response hangs, which the script reports
}

// ports are for the servers of scripts and guides.
var ports = freeport.Range{First: 29000, Count: 3000}

func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: ready")
	}
	ts.Check(waitReady(ts.Getenv("URL")))
}

// waitReady polls until the gateway is ready.
func waitReady(gateway string) error {
	const interval = 20 * time.Millisecond
	poll := time.NewTicker(interval)
	defer poll.Stop()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-poll.C {
		a, err := ask(http.MethodGet, gateway+"/v1.0/pub/ready", "")
		if err == nil && a.status == http.StatusOK {
			return nil
		}
		last = fmt.Sprintf("status %d, error %v", a.status, err)
	}
	return fmt.Errorf("the gateway at %s is not ready: %s", gateway, last)
}

func scriptLogin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: login <user> [<unionid>]")
	}
	query := url.Values{"user": args[:1]}
	if len(args) == 2 {
		query.Set("unionid", args[1])
	}
	code, err := ask(http.MethodGet, ts.Getenv("MANAGEMENT")+"/code?"+query.Encode(), "")
	ts.Check(err)
	a, err := ask(http.MethodPost, ts.Getenv("URL")+"/v1.0/pub/openId", fmt.Sprintf(`{"code":%q}`, code.body))
	ts.Check(err)
	if a.status != http.StatusOK {
		ts.Fatalf("login of %s: %d %s", args[0], a.status, a.body)
	}
	keepTokens(ts, a)
}

func scriptRefresh(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: refresh")
	}
	a, err := ask(http.MethodPost, ts.Getenv("URL")+"/v1.0/pub/refresh", fmt.Sprintf(`{"refresh_token":%q}`, ts.Getenv("REFRESH")))
	ts.Check(err)
	if a.status != http.StatusOK {
		ts.Fatalf("refresh: %d %s", a.status, a.body)
	}
	keepTokens(ts, a)
}

func keepTokens(ts *testscript.TestScript, a response) {
	for member, variable := range map[string]string{"openId": "OPENID", "access_token": "ACCESS", "refresh_token": "REFRESH", "session_key": "HANDLE"} {
		if value := a.member(member); value != "" {
			ts.Setenv(variable, value)
		}
	}
}

func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: http <status> <method> <path> [<body>] [<name: value>...]")
	}
	var body string
	var header []string
	if len(args) > 3 {
		body, header = args[3], args[4:]
	}
	a, err := ask(args[1], ts.Getenv("URL")+args[2], body, header...)
	ts.Check(err)
	_, _ = fmt.Fprintln(ts.Stdout(), a.body)
	if strconv.Itoa(a.status) != args[0] {
		ts.Fatalf("status %d, want %s: %s", a.status, args[0], a.body)
	}
}

// madeByCleaning reports whether Caddy makes a file when it cleans its storage, which
// it does in the background after a start: no command of a script makes it.
func madeByCleaning(name string) bool {
	return name == "last_clean.json" || name == "instance.uuid" || strings.HasSuffix(name, ".lock")
}

func scriptFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: files <folder>")
	}
	root := ts.MkAbs(args[0])
	_, _ = fmt.Fprintln(ts.Stdout()) // so that an empty folder has an output too
	ts.Check(filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a lock, just released
		}
		if err == nil && !d.IsDir() && !madeByCleaning(d.Name()) {
			name, _ := filepath.Rel(root, path)
			_, _ = fmt.Fprintln(ts.Stdout(), filepath.ToSlash(name))
		}
		return err
	}))
}
