package doctor_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/doctor"
)

// want compares a finding's status, and looks for text in its detail and advice.
func want(t *testing.T, f doctor.Finding, status doctor.Status, text string) {
	t.Helper()
	if f.Status != status || !strings.Contains(f.Detail+". "+f.Advice, text) {
		t.Errorf("%s %s is %s: %s. %s; want %s with %q", f.Check, f.About, f.Status, f.Detail, f.Advice, status, text)
	}
	if (f.Status == doctor.Failed || f.Status == doctor.Warning) && f.Advice == "" {
		t.Errorf("%s %s is %s without advice", f.Check, f.About, f.Status)
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		date   string
		status doctor.Status
		text   string
	}{
		"the same":        {"Sat, 28 Nov 2026 12:00:00 GMT", doctor.OK, "differs by 0s"},
		"at the limit":    {"Sat, 28 Nov 2026 12:00:30 GMT", doctor.OK, "differs by -30s"},
		"behind":          {"Sat, 28 Nov 2026 12:00:31 GMT", doctor.Failed, "differs by -31s"},
		"ahead":           {"Sat, 28 Nov 2026 11:00:00 GMT", doctor.Failed, "differs by 1h0m0s. Synchronize the clock"},
		"without a date":  {"", doctor.NotChecked, "no Date"},
		"not a date":      {"today", doctor.NotChecked, "no Date"},
		"fractions count": {"Sat, 28 Nov 2026 11:59:30 GMT", doctor.OK, "differs by 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = []string{test.date}
			}))
			t.Cleanup(server.Close)
			found := doctor.API(t.Context(), transport(t), server.URL, func() time.Time { return now })
			if len(found) != 2 {
				t.Fatalf("%d findings", len(found))
			}
			want(t, found[0], doctor.OK, "it responds")
			want(t, found[1], test.status, test.text)
		})
	}
}

func TestUnreachableAPI(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	found := doctor.API(t.Context(), transport(t), server.URL, time.Now)
	want(t, found[0], doctor.Failed, "connection refused. Check the name server")
	want(t, found[1], doctor.NotChecked, "cannot be reached")
}

func TestCredentials(t *testing.T) {
	reported := func(code int) error {
		return &auth.PlatformError{Class: auth.ErrAppMisconfigured, Code: code, Message: "a message"}
	}
	for name, test := range map[string]struct {
		err    error
		status doctor.Status
		text   string
	}{
		"accepted":      {nil, doctor.OK, "accepts the appid and the secret"},
		"wrong appid":   {reported(40013), doctor.Failed, "The appid is wrong."},
		"wrong secret":  {reported(40125), doctor.Failed, "The AppSecret is wrong."},
		"IP allow-list": {reported(40164), doctor.Failed, "IP allow-list"},
		"frozen secret": {reported(40243), doctor.Failed, "Unfreeze"},
		"other errcode": {reported(48001), doctor.Failed, "See the errcode in docs/wechat.md"},
		"no connection": {auth.ErrWeChatUnreachable, doctor.Failed, "Check that the API can be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			f := doctor.Credentials(t.Context(), "wx0000000000000001", func(ctx context.Context) error {
				if _, ok := ctx.Deadline(); !ok {
					t.Error("the call has no deadline")
				}
				return test.err
			})
			want(t, f, test.status, test.text)
		})
	}
}

func TestUpstream(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue\n"
	proc := fstest.MapFS{
		"tcp": {Data: []byte(head +
			"   0: 0100007F:2328 00000000:0000 0A 00000000:00000000\n" + // 127.0.0.1:9000
			"   1: 00000000:2329 00000000:0000 0A 00000000:00000000\n" + // 0.0.0.0:9001
			"   2: 0A00A8C0:232A 00000000:0000 0A 00000000:00000000\n" + // 192.168.0.10:9002
			"   3: 0100007F:232B 0100007F:1F90 01 00000000:00000000\n")}, // 127.0.0.1:9003, a connection
		"tcp6": {Data: []byte(head +
			"   0: 00000000000000000000000000000000:232C 0:0 0A 0:0\n" + // [::]:9004
			"   1: 00000000000000000000000001000000:232D 0:0 0A 0:0\n" + // [::1]:9005
			"   2: 0000000000000000FFFF00000100007F:232E 0:0 0A 0:0\n")}, // [::ffff:127.0.0.1]:9006
	}
	for dial, test := range map[string]struct {
		status doctor.Status
		text   string
	}{
		"127.0.0.1:9000":    {doctor.OK, "loopback only"},
		":9000":             {doctor.OK, "loopback only"},
		"3000:80":           {doctor.Failed, "taken for a host name"},
		"localhost:9001":    {doctor.Failed, "also listens on 0.0.0.0"},
		"127.0.0.1:9002":    {doctor.Failed, "also listens on 192.168.0.10"},
		"127.0.0.1:9003":    {doctor.Warning, "no process listens there"},
		"[::1]:9004":        {doctor.Failed, "also listens on ::"},
		"[::1]:9005":        {doctor.OK, "loopback only"},
		"127.0.0.1:9006":    {doctor.OK, "loopback only"},
		"10.0.0.7:9000":     {doctor.NotChecked, "on another machine"},
		"orders:9000":       {doctor.NotChecked, "on another machine"},
		"unix//run/o.sock":  {doctor.NotChecked, "not an address"},
		"{env.ORDERS}:port": {doctor.NotChecked, "not an address"},
	} {
		t.Run(dial, func(t *testing.T) { want(t, doctor.Upstream(proc, dial), test.status, test.text) })
	}
	want(t, doctor.Upstream(fstest.MapFS{}, "127.0.0.1:9000"), doctor.NotChecked, "cannot be listed")
}

func TestAdminAddress(t *testing.T) {
	for listen, status := range map[string]doctor.Status{
		"unix//run/wxgate/admin.sock|0600": doctor.OK,
		"unix/":                            doctor.Failed,
		"unix/|0600":                       doctor.Failed,
		"":                                 doctor.Warning,
		doctor.AdminOff:                    doctor.Warning,
		"localhost:2019":                   doctor.Warning,
		"tcp/127.0.0.1:2019":               doctor.Warning,
		"[::1]:2019":                       doctor.Warning,
		":2019":                            doctor.Failed,
		"0.0.0.0:2019":                     doctor.Failed,
		"10.0.0.7:2019":                    doctor.Failed,
		"2019":                             doctor.Failed,
	} {
		t.Run(listen, func(t *testing.T) { want(t, doctor.AdminAddress(listen), status, "") })
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "root_secret")
	want(t, doctor.SecretFile(path), doctor.OK, "does not exist yet")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, test := range map[os.FileMode]struct{ secret, named, config doctor.Status }{
		0o600: {doctor.OK, doctor.OK, doctor.OK},
		0o640: {doctor.Failed, doctor.OK, doctor.OK},
		0o644: {doctor.Failed, doctor.Failed, doctor.OK},
		0o620: {doctor.Failed, doctor.Failed, doctor.Failed},
		0o602: {doctor.Failed, doctor.Failed, doctor.Failed},
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		want(t, doctor.SecretFile(path), test.secret, "its mode is ")
		want(t, doctor.NamedFile(path), test.named, "its mode is ")
		want(t, doctor.ConfigFile(path), test.config, "")
	}
	want(t, doctor.SecretFile(filepath.Join(path, "below")), doctor.Failed, "not a directory")
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	want(t, doctor.Folder(doctor.CheckStorage, filepath.Join(dir, "caddy", "wxgate")), doctor.OK, "it can be written")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, doctor.Folder(doctor.CheckStorage, file), doctor.Failed, "Give the gateway's user write access")
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wxgate.db")
	want(t, doctor.File(path), doctor.OK, "does not exist yet")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	want(t, doctor.File(path), doctor.Failed, "is a directory. Give the gateway's user write access")
}

func TestRedis(t *testing.T) {
	good := map[string]string{
		"redis_version": "7.0.15", "maxmemory_policy": "noeviction", "aof_enabled": "1",
		"aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok", "rdb_saves": "0", "save": "3600 1",
	}
	for name, test := range map[string]struct {
		change map[string]string
		status doctor.Status
		text   string
	}{
		"good":               {nil, doctor.OK, "Redis 7.0.15"},
		"few rights":         {map[string]string{"refused_commands": "hlen, zadd"}, doctor.Failed, "may not run hlen, zadd"},
		"evicts":             {map[string]string{"maxmemory_policy": "allkeys-lru"}, doctor.Failed, "maxmemory-policy is allkeys-lru"},
		"keeps nothing":      {map[string]string{"aof_enabled": "0", "save": ""}, doctor.Failed, "keeps nothing on disk"},
		"snapshots only":     {map[string]string{"aof_enabled": "0"}, doctor.Warning, "snapshots only"},
		"snapshot failed":    {map[string]string{"rdb_last_bgsave_status": "err"}, doctor.Failed, "last write to disk failed"},
		"append failed":      {map[string]string{"aof_last_write_status": "err"}, doctor.Failed, "last write to disk failed"},
		"no append to fail":  {map[string]string{"aof_enabled": "0", "aof_last_write_status": "err"}, doctor.Warning, "snapshots only"},
		"hides what it does": {map[string]string{"aof_enabled": "0", "save": "hidden"}, doctor.Failed, "keeps nothing on disk"},
	} {
		t.Run(name, func(t *testing.T) {
			server := maps.Clone(good)
			maps.Copy(server, test.change)
			if server["save"] == "hidden" {
				delete(server, "save")
			}
			found := doctor.Redis(t.Context(), "127.0.0.1:6379", func(context.Context) (map[string]string, error) { return server, nil })
			want(t, found[len(found)-1], test.status, test.text)
		})
	}
	unreachable := errors.New("connection refused")
	found := doctor.Redis(t.Context(), "127.0.0.1:6379", func(context.Context) (map[string]string, error) { return nil, unreachable })
	want(t, found[0], doctor.Failed, "connection refused. Check that Redis runs")
}

func TestSecrets(t *testing.T) {
	want(t, doctor.Secrets(nil)[0], doctor.OK, "")
	found := doctor.Secrets([]string{"the root secret", "the signing key"})
	if len(found) != 2 || doctor.Failures(found) != 2 || found[0].About != "the root secret" {
		t.Errorf("found %v", found)
	}
	want(t, found[1], doctor.Failed, "{env.NAME}")
}

func transport(t *testing.T) *http.Transport {
	t.Helper()
	client := new(http.Transport)
	t.Cleanup(client.CloseIdleConnections)
	return client
}
