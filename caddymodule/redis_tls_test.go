package caddymodule_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs the certificates of a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority creates an authority, and writes its certificate to ca.pem in dir.
func newAuthority(t *testing.T, dir string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "wxgate test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.issue("ca", template)
	return a
}

// issue signs a certificate, or the authority's own, and writes name.pem and name.key.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(a.dir, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// TestRedisTLS connects to Redis over TLS with certificates on both sides. If one is missing or
// wrong, the start fails with an error that names the cause.
func TestRedisTLS(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir)
	a.issue("server", &x509.Certificate{DNSNames: []string{"redis.internal"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	other := newAuthority(t, t.TempDir())
	tlsAddr := freeAddr(t)
	_, port, err := net.SplitHostPort(tlsAddr)
	if err != nil {
		t.Fatal(err)
	}
	startRedis(t, "--tls-port", port, "--tls-cert-file", dir+"/server.pem", "--tls-key-file", dir+"/server.key", "--tls-ca-cert-file", dir+"/ca.pem")
	t.Setenv("WXGATE_TEST_ROOT", sharedRoot)
	f := newOperatedFixture(t)
	store := func(options ...string) {
		f.config = shared("redis rediss://"+tlsAddr+" {\n\t\t\ttls {\n\t\t\t\t"+strings.Join(options, "\n\t\t\t\t")+"\n\t\t\t}\n\t\t}", "")
	}
	ca, cert, key := "ca "+dir+"/ca.pem", "cert "+dir+"/client.pem", "key "+dir+"/client.key"
	for name, test := range map[string]struct {
		options []string
		want    []string // parts of the error; nil if the connection succeeds
	}{
		"both":                  {[]string{ca, cert, key}, nil},
		"with server_name":      {[]string{ca, cert, key, "server_name redis.internal"}, nil},
		"a file by placeholder": {[]string{"ca {env.WXGATE_TEST_CA}", cert, key}, nil},
		"the wrong name":        {[]string{ca, cert, key, "server_name elsewhere.internal"}, []string{"server_name", tlsAddr}},
		"another authority":     {[]string{"ca " + other.dir + "/ca.pem", cert, key}, []string{"check the certificate"}},
		"no certificate":        {[]string{ca}, []string{"certificate"}},
		"no such file":          {[]string{"ca " + dir + "/none.pem"}, []string{"store redis: tls: ca", "no such file"}},
		"not a certificate":     {[]string{"ca " + dir + "/client.key"}, []string{"contains no certificate"}},
		"the key of another":    {[]string{ca, cert, "key " + dir + "/server.key"}, []string{"not a certificate and its private key"}},
		"an empty variable":     {[]string{"ca {env.WXGATE_TEST_NONE}"}, []string{"the file's name is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WXGATE_TEST_CA", dir+"/ca.pem")
			store(test.options...)
			if test.want != nil {
				f.wantLoadError(test.want...)
				return
			}
			f.load()
			f.wantCall(f.token("alice"), 200, "")
			f.stop()
		})
	}
}
