package redis_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// authority signs certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca")
	return a
}

// sign creates a certificate and writes it and its key as name.crt and name.key.
func (a *authority) sign(t testing.TB, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	sessiontest.Must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        a.cert == nil, BasicConstraintsValid: true,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	sessiontest.Must(t, err)
	cert, err := x509.ParseCertificate(der)
	sessiontest.Must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	sessiontest.Must(t, err)
	for suffix, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		sessiontest.Must(t, os.WriteFile(a.file(name+suffix), pem.EncodeToMemory(block), 0o600))
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// client returns the TLS configuration of a gateway that trusts the authority.
func (a *authority) client(t testing.TB, certificate string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	cfg := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(a.file(certificate+".crt"), a.file(certificate+".key"))
		sessiontest.Must(t, err)
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg
}

// minimalRights are the only rights that the ACL user of a gateway needs.
var minimalRights = []string{
	"~wxgate:*", "-@all", "+hello", "+ping", "+info", "+select", "+role", "+wait", "+time",
	"+eval", "+evalsha", "+get", "+set", "+getrange", "+del", "+pttl", "+pexpire",
	"+hget", "+hgetall", "+hset", "+hdel", "+xadd", "+xdel", "+xrange", "+xread", "+xinfo|stream",
	"+zadd", "+zrange", "+zrem", "+zcount", "+scan",
}

// TestRedisTLSAndACL connects with certificates on both sides, as a user with only the needed
// rights.
func TestRedisTLSAndACL(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.sign(t, "server")
	ca.sign(t, "gateway")
	addr := sessiontest.FreeAddress(t)
	args := append(sessiontest.RedisArgs(addr),
		"--port", "0", "--tls-port", sessiontest.PortOf(addr), "--databases", "64", "--tls-auth-clients", "yes",
		"--tls-cert-file", ca.file("server.crt"), "--tls-key-file", ca.file("server.key"), "--tls-ca-cert-file", ca.file("ca.crt"),
		"--requirepass", redisPassword, "--user", "wxgate", "on", ">"+redisPassword)
	server := sessiontest.StartProcess(t, addr, append(args, minimalRights...)...)
	cfg := redis.Config{Addresses: []string{server.Addr}, Username: "wxgate", Password: redisPassword, TLS: ca.client(t, "gateway")}

	t.Run("core", func(t *testing.T) {
		databases := make(chan int, 32)
		for i := range cap(databases) {
			databases <- i
		}
		sessiontest.Conform(t, func(t testing.TB, c *sessiontest.Clock) sessiontest.Store {
			own := cfg
			own.Database = <-databases
			_, store := openPlainly(t, c, own)
			return store
		}, core...)
	})
	t.Run("values, limits, export", func(t *testing.T) {
		t.Parallel()
		c := sessiontest.NewClock()
		own := cfg
		own.Database = 40
		r, store := openPlainly(t, c, own)
		s := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
		for name, err := range failures(t.Context(), r, store, s, c) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		sessiontest.Must(t, store.Store.(sessiontest.Mover).Export(t.Context(), func(session.Entry) error { return nil }))
		sessiontest.Must(t, r.Ready(t.Context()))
	})

	other := newAuthority(t)
	for name, test := range map[string]struct {
		tls    *tls.Config
		advice []string
	}{
		"no certificate":    {ca.client(t, ""), []string{"certificate"}},
		"another authority": {other.client(t, ""), []string{"x509", "server_name"}},
		"no TLS":            {nil, []string{"rediss://"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := cfg
			own.TLS = test.tls
			wantAdvice(t, "opening", openFully(t, own), test.advice...)
		})
	}
	t.Run("TLS to a plain port", func(t *testing.T) {
		t.Parallel()
		addr, _ := sessiontest.SharedRedis(t)
		own := cfg
		own.Addresses = []string{addr}
		wantAdvice(t, "opening", openFully(t, own), "redis://")
	})
}

// openPlainly opens Redis without access to the database from outside.
func openPlainly(t testing.TB, c *sessiontest.Clock, cfg redis.Config) (*redis.Client, sessiontest.Store) {
	t.Helper()
	r, err := redis.Open(t.Context(), cfg, session.Options{Now: c.Now, OnError: func(err error) { t.Log("reported:", err) }})
	sessiontest.Must(t, err)
	t.Cleanup(func() { sessiontest.Must(t, r.Close()) })
	store, err := r.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	sessiontest.Must(t, err)
	sweep := func(_ context.Context, now time.Time, _ int) (int, error) { return r.Revocations().Sweep(now), nil }
	return r, sessiontest.Store{Store: store, Set: r.Revocations(), Sweep: sweep, Gauge: r.Counts}
}

// core are the cases that a store must pass over each kind of connection.
var core = []string{
	"a session is stored completely", "keep, save, end", "end revokes while tokens live", "end user", "created too early",
	"revoke key", "keys: with the last session", "race: end and update", "race: one refresh token", "service: a session's life",
}
