package caddymodule_test

import (
	"bufio"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// waferSDK is a client SDK of Tencent Wafer, as published on npm. The hash shows that the
// package is unchanged.
type waferSDK struct {
	name, version, sha512 string
}

var waferSDKs = []waferSDK{
	{"wafer2-client-sdk", "2.1.0", "tpfWcSQrnnBjOFA+IzXVnrAHnW4uKDrnNr0IMau5NJegKV3xEMjavhe5YECN+HJNupRZn9n2959qnVu1PY/07Q=="},
	{"wafer-client-sdk", "0.8.4", "6gPu6yyvQOYCiYjf0FrkOmGuiRhexNCJygRyXlT7RYA9NV7oPbaZh3AoNBdxpjhSZ2w/s6rJ89JojcUIoxxReg=="},
	// Many mini programs contain a copy of a version before 2.1.0, which checks the code in the
	// body and not the status.
	{"wafer2-client-sdk", "1.1.3", "exzMpg2XwnPESMNUOoXsH1nURfXrFqwMi13asBbe5CRejpvCbxIntNXL9TwpfwBOPFK9tJpntMhfXPNL7WKYGg=="},
}

// unpack downloads the SDK from npm and returns its folder. It runs no script of the package.
func (sdk waferSDK) unpack(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs node, with npm and tar: %v", err)
		}
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, sdk.name+"@"+sdk.version)
	npm.Dir = dir
	if err := npm.Run(); err != nil { // the output of npm would name its registry
		t.Skipf("needs node and a registry that npm reaches: npm pack %s: %v", sdk.name, err)
	}
	archive := filepath.Join(dir, sdk.name+"-"+sdk.version+".tgz")
	b, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(b)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != sdk.sha512 {
		t.Fatalf("%s %s is not what was published: sha512-%s", sdk.name, sdk.version, got)
	}
	if out, err := exec.Command("tar", "-C", dir, "-xzf", archive).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	return filepath.Join(dir, "package")
}

// waferSite is a gateway for the SDKs, with a configured path for the login.
const waferSite = `
{
	admin unix/{{.Dir}}/admin.sock
	persist_config off
	storage file_system {{.Dir}}/caddy
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		store bolt {{.Dir}}/wxgate.db
	}
}
http://{{.Addr}} {
	wxgate {
		compat wafer /weapp/login
		optional /optional
		public /public
	}
	reverse_proxy {{.Upstream}}
}
`

// newWaferFixture starts a gateway with [waferSite].
func newWaferFixture(t *testing.T) *fixture {
	t.Helper()
	f := newStoppedFixture(t, simConfig(), waferSite)
	dir, err := os.MkdirTemp("", "wx") //nolint:usetesting // the path of a socket may have only about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.stop()
		_ = os.RemoveAll(dir)
	})
	f.dir = dir
	f.load()
	return f
}

// adminPost calls the admin API on its socket.
func (f *fixture) adminPost(path, body string) {
	f.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(f.dir, "admin.sock"))
	}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Post("http://127.0.0.1"+path, "application/json", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		f.t.Fatalf("POST %s of the admin API: %d %s %v", path, response.StatusCode, text, err)
	}
}

// waferClient is a mini program in Node.
type waferClient struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

// waferReport is the result of one command.
type waferReport struct {
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
	Type  string          `json:"type"`
	Seen  []struct {
		URL    string            `json:"url"`
		Status int               `json:"status"`
		Header map[string]string `json:"header"`
	} `json:"seen"`
}

func startWaferClient(f *fixture, t *testing.T, dir, user string) *waferClient {
	t.Helper()
	const script = "testdata/wafer/run.js"
	node := exec.Command("node", script, dir, f.sim.ManagementURL, f.url+waferLogin, user, refererOf(wechatsim.DefaultApp.ID))
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // ends the commands
		if err := node.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	return &waferClient{t, in, bufio.NewScanner(out)}
}

// do sends a command and waits for its result.
func (c *waferClient) do(command string) waferReport {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		c.t.Fatal(err)
	}
	if !c.out.Scan() {
		c.t.Fatalf("node printed no result of %q: %v", command, c.out.Err())
	}
	var report waferReport
	if err := json.Unmarshal(c.out.Bytes(), &report); err != nil {
		c.t.Fatalf("%v: %s", err, c.out.Bytes())
	}
	return report
}

// refererOf returns the Referer that WeChat sends for a mini program.
func refererOf(appid string) string {
	return "https://servicewechat.com/" + appid + "/0/page-frame.html"
}
