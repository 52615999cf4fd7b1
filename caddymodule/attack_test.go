package caddymodule_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/attack"
	"github.com/wxgate/wxgate/internal/attack/corpus"
	"github.com/wxgate/wxgate/internal/attack/wire"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// attackGlobal is the configuration of every attacked gateway. The signing key is in a
// file, so that the corpus can sign tokens with wrong claims.
const attackGlobal = `
{
	admin off
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	storage file_system {{.Dir}}/caddy
	wxgate {
		app wx0000000000000001 {env.WXGATE_TEST_SECRET} {
			api {{.API}}
		}
		store memory
		token {
			key {file.{{.Dir}}/key.pem}
		}
	}
	<servers>
}
(site) {
	bind 127.0.0.1
	<runtime>
	handle /broken/* {
		reverse_proxy 127.0.0.1:1
	}
	handle {
		reverse_proxy {{.Upstream}}
	}
	handle_errors {
		reverse_proxy {{.Upstream}}
	}
}
http://{{.Addr}} {
	import site
}
https://localhost:<port> {
	tls internal
	import site
}
`

// attackGate is wxgate as the corpus expects it: [corpus.Caddyfile].
const attackGate = `
	wxgate {
		public   /public/*
		optional /optional/*
		require  phone on /phone/*
		headers {
			assertion X-WX-ASSERTION the-echo
		}
	}
`

// attacked is a gateway in front of the corpus's echo.
type attacked struct {
	*fixture
	echo   *wire.Echo
	target corpus.Target // over TLS
}

// newAttacked starts a gateway; runtime has the directives of the site, and servers has
// options for the global block.
func newAttacked(t *testing.T, runtime, servers string) *attacked {
	t.Helper()
	a := newStoppedAttacked(t, attackGlobal, runtime, servers)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(a.dir, "key.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	a.load()
	waitForTLS(t, a.plain, "localhost")
	a.target.Signer = key
	return a
}

// newStoppedAttacked starts everything except the gateway.
func newStoppedAttacked(t *testing.T, config, runtime, servers string) *attacked {
	t.Helper()
	a := &attacked{fixture: newStoppedFixture(t, wechatsim.Config{}, "")}
	_, port, err := net.SplitHostPort(a.plain)
	if err != nil {
		t.Fatal(err)
	}
	a.target = corpus.Target{URL: "https://localhost:" + port, Insecure: true, CodeURL: a.sim.ManagementURL + "/code?openid=mallory"}
	a.config = strings.NewReplacer("<runtime>", runtime, "<servers>", servers, "<port>", port).Replace(config)
	if a.echo, err = wire.NewEcho("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.echo.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	a.upstream.addr = a.echo.Addr
	return a
}

// waitForTLS waits for the certificate, which the local CA issues in the background.
func waitForTLS(t *testing.T, addr, host string) {
	t.Helper()
	const wait, poll = 20 * time.Second, 20 * time.Millisecond
	config := &tls.Config{ServerName: host, InsecureSkipVerify: true}
	for giveUp := time.Now().Add(wait); ; <-time.After(poll) {
		conn, err := tls.Dial("tcp", addr, config)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(giveUp) {
			t.Fatalf("no certificate: %v", err)
		}
	}
}

// run runs the attacks of the corpus that only selects, or all if only is nil.
func (a *attacked) run(only func(*corpus.Attack) bool, protocols ...wire.Protocol) []attack.Finding {
	a.t.Helper()
	findings, err := attack.Run(context.Background(), attack.Config{Target: a.target, Echo: a.echo, Protocols: protocols, Only: only})
	if err != nil {
		a.t.Fatal(err)
	}
	return findings
}

// TestAttackCorpus: no attack of the corpus succeeds over any protocol, and every attack is
// applicable.
func TestAttackCorpus(t *testing.T) {
	a := newAttacked(t, attackGate, "")
	findings := a.run(nil)
	expectBlocked(t, findings)
	target := a.target
	target.Defaults()
	var want int
	for _, x := range corpus.Corpus(&target) {
		if want += len(x.Protocols); x.Protocols == nil {
			want += 3
		}
	}
	if len(findings) != want || want == 0 {
		t.Errorf("%d findings, want %d", len(findings), want)
	}
}

// TestAttackCorpusWithEverythingOn: no attack succeeds either if the options that relax the
// gateway are set, and if Caddy accepts header names with underscores and dots, so that
// only wxgate removes them.
func TestAttackCorpusWithEverythingOn(t *testing.T) {
	runtime := strings.Replace(attackGate, "headers {", `
		forward_token
		compat wafer
		pass_from_trusted X-WX-ANYTHING-NEW
		cors {
			origins https://h5.example.com
		}
		headers {`, 1)
	a := newAttacked(t, runtime, expectMarks)
	expectBlocked(t, a.run(only("identity", "removal", "errors", "several", "path", "upgrade")))
}

func expectBlocked(t *testing.T, findings []attack.Finding) {
	t.Helper()
	counts := map[attack.Verdict]int{}
	for _, f := range findings {
		counts[f.Verdict]++
		if f.Verdict != attack.Blocked {
			t.Errorf("%s over %s: %s: %s\n\t%s", f.ID, f.Protocol, f.Verdict, f.Reason, f.Request)
		}
	}
	t.Logf("%v", counts)
}
