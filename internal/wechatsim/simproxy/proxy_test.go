package simproxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// patience is how long one step may take on a machine that does much else.
const patience = 30 * time.Second

// tokenQuery gets an access token of the default app.
const tokenQuery = "?grant_type=client_credential&appid=wx0000000000000001&secret=00000000000000000000000000000001"

// notices are what a proxy reported.
type notices chan string

// wait returns the next report.
func (n notices) wait(t *testing.T) string {
	t.Helper()
	select {
	case line := <-n:
		return line
	case <-time.After(patience):
		t.Fatal("the proxy reports nothing")
		return ""
	}
}

// start serves a proxy to a new simulator, with the CA in a file.
func start(t *testing.T) (*Proxy, *wechatsim.Sim, notices) {
	t.Helper()
	sim, said := wechatsim.New(wechatsim.Config{}), make(notices, 100)
	p, err := Serve(t.Context(), Config{Addr: "127.0.0.1:0", CAFile: filepath.Join(t.TempDir(), "ca.pem"), API: sim.API(), Notice: func(line string) { said <- line }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sim.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, sim, said
}

// clientOf returns a client that uses the proxy and trusts its CA and no other.
func clientOf(t *testing.T, p *Proxy) *http.Client {
	t.Helper()
	text, err := os.ReadFile(p.cfg.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("%s has no certificate", p.cfg.CAFile)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(at), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// get returns the status and the body of a GET.
func get(t *testing.T, client *http.Client, address string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestHosts calls the hosts of platforms by way of the proxy, with TLS and without.
func TestHosts(t *testing.T) {
	t.Parallel()
	p, _, _ := start(t)
	client := clientOf(t, p)
	for address, want := range map[string]string{
		"https://api.weixin.qq.com/cgi-bin/token" + tokenQuery: `{"access_token":"`,
		"https://sh.api.weixin.qq.com/cgi-bin/token":           `{"errcode":41002,`,
		"http://api.weixin.qq.com/cgi-bin/token" + tokenQuery:  `{"access_token":"`,
		"https://api.weixin.qq.com/nothing":                    `{"errcode":40066,`,
		"https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=": `{"errcode":41002,"errmsg":"corpid missing`,
		"https://open.weixin.qq.com/connect/qrconnect":         "<!DOCTYPE html>",
	} {
		if _, body := get(t, client, address); !strings.HasPrefix(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("%s = %.100s, want %s", address, body, want)
		}
	}
}

// TestNothingIsForwarded refuses other hosts and ports, whatever form the request has.
func TestNothingIsForwarded(t *testing.T) {
	t.Parallel()
	p, _, said := start(t)
	client := clientOf(t, p)
	for address, host := range map[string]string{
		"https://example.com/":                       "example.com:443",
		"https://api.weixin.qq.com.example.com/":     "api.weixin.qq.com.example.com:443",
		"https://api.weixin.qq.com:22/":              "api.weixin.qq.com:22",
		"https://127.0.0.1:1/":                       "127.0.0.1:1",
		"http://127.0.0.1:1/":                        "127.0.0.1:1",
		"http://api.mch.weixin.qq.com/pay/micropay/": "api.mch.weixin.qq.com",
	} {
		if status, body := get(t, client, address); status != http.StatusForbidden && !strings.Contains(body, "Forbidden") {
			t.Errorf("%s = %d %s", address, status, body)
		}
		if line := said.wait(t); line != "refused: "+host+" is not a simulated host" {
			t.Errorf("%s is reported as %q", address, line)
		}
	}
}

// TestDirect has clients for which the proxy is the host itself, as with /etc/hosts. The reset of
// a connection reaches them through TLS.
func TestDirect(t *testing.T) {
	t.Parallel()
	p, sim, _ := start(t)
	client := clientOf(t, p)
	transport := client.Transport.(*http.Transport) //nolint:forcetypeassert // clientOf made it
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(p.URL, "http://"))
	}
	for _, address := range []string{"https://api.weixin.qq.com/cgi-bin/token", "http://api.weixin.qq.com/cgi-bin/token", "https://127.0.0.1/cgi-bin/token", "https://localhost/cgi-bin/token"} {
		if _, body := get(t, client, address+tokenQuery); !strings.HasPrefix(body, `{"access_token":"`) {
			t.Errorf("%s = %s", address, body)
		}
	}
	if status, _ := get(t, client, "http://example.com/"); status != http.StatusForbidden {
		t.Errorf("another host = %d", status)
	}
	if err := sim.Arm(fault.Fault{Kind: fault.Reset}); err != nil {
		t.Fatal(err)
	}
	if _, body := get(t, client, "https://api.weixin.qq.com/cgi-bin/token"); !strings.Contains(body, "reset") {
		t.Errorf("with a reset: %s", body)
	}
}

// TestPublic says whether other machines reach the proxy.
func TestPublic(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		p, err := Serve(t.Context(), Config{Addr: addr, CAFile: filepath.Join(t.TempDir(), "ca.pem")})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil || p.Public != want || !strings.HasPrefix(p.URL, "http://127.0.0.1:") {
			t.Errorf("%s: public %v at %s, %v", addr, p.Public, p.URL, err)
		}
	}
}

// TestNotTrusted reports a client that does not trust the CA.
func TestNotTrusted(t *testing.T) {
	t.Parallel()
	p, _, said := start(t)
	client := clientOf(t, p)
	client.Transport.(*http.Transport).TLSClientConfig.RootCAs = x509.NewCertPool() //nolint:forcetypeassert // clientOf made it
	if _, body := get(t, client, "https://api.weixin.qq.com/"); !strings.Contains(body, "unknown authority") {
		t.Error(body)
	}
	if line := said.wait(t); !strings.Contains(line, "must trust "+p.cfg.CAFile) {
		t.Errorf("it reports %q", line)
	}
}

// TestCAFile replaces the CA of an earlier start, and no other file.
func TestCAFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "ca.pem")
	var last []byte
	for range 2 {
		ca, err := newAuthority()
		if err != nil {
			t.Fatal(err)
		}
		if err := writeCA(name, ca.pem); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) == string(last) {
			t.Errorf("the file has the earlier CA, %v", err)
		}
		last = ca.pem
	}
	for _, text := range []string{"127.0.0.1 localhost\n", string(last) + string(last)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := writeCA(name, last); !errors.Is(err, ErrCAFile) {
			t.Errorf("over %.20q: %v", text, err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != text {
			t.Errorf("the file was replaced, %v", err)
		}
	}
	if err := writeCA(filepath.Join(name, "ca.pem"), last); !errors.Is(err, ErrCAFile) {
		t.Error(err)
	}
}

// TestCAIsForNoOtherHost looks at the constraints of the CA: a client that trusts it must refuse
// certificates of other hosts.
func TestCAIsForNoOtherHost(t *testing.T) {
	t.Parallel()
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.pem)
	leaf, err := x509.ParseCertificate(ca.leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"api.weixin.qq.com": true, "127.0.0.1": true, "example.com": false} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	root := chains[0][len(chains[0])-1]
	if !root.PermittedDNSDomainsCritical || len(root.PermittedDNSDomains) != len(leaf.DNSNames) {
		t.Errorf("the CA permits %v", root.PermittedDNSDomains)
	}
}
