package simproxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	// authorityName is the subject of the CA, by which its file is recognized.
	authorityName = "wxgate sim CA"

	// lifetime is how long the certificates are valid: longer than a simulator runs.
	lifetime = 365 * 24 * time.Hour

	// clockSkew is how far the clock of a container may be behind.
	clockSkew = time.Hour

	certificateType = "CERTIFICATE"
)

// ErrCAFile means that the file for the CA certificate cannot be written.
var ErrCAFile = errors.New("file of the CA certificate")

// An authority is a CA that was made at the start and is valid for the simulated hosts and this
// machine only: a client that trusts it trusts it for no other host. Its private key is not
// kept: it signs one certificate.
type authority struct {
	pem  []byte          // the certificate of the CA
	leaf tls.Certificate // the certificate of all hosts
}

func newAuthority() (authority, error) {
	ca, err := template(authorityName)
	if err != nil {
		return authority{}, err
	}
	ca.IsCA, ca.BasicConstraintsValid, ca.MaxPathLenZero = true, true, true
	ca.KeyUsage = x509.KeyUsageCertSign
	ca.PermittedDNSDomainsCritical = true
	ca.PermittedDNSDomains = append(Hosts(), "localhost")
	ca.PermittedIPRanges = loopback()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	issued, err := x509.CreateCertificate(rand.Reader, ca, ca, signer.Public(), signer)
	if err != nil {
		return authority{}, err
	}
	leaf, err := issue(ca, signer)
	if err != nil {
		return authority{}, err
	}
	return authority{pem: pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: issued}), leaf: leaf}, nil
}

// issue makes the certificate of the hosts.
func issue(ca *x509.Certificate, signer *ecdsa.PrivateKey) (tls.Certificate, error) {
	leaf, err := template("wxgate sim")
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames = append(Hosts(), "localhost")
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	issued, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), signer)
	return tls.Certificate{Certificate: [][]byte{issued}, PrivateKey: key}, err
}

// template returns a certificate with a name and a lifetime. Each CA has a different subject, because
// OpenSSL looks for the issuer by name and would take the CA of an earlier start.
func template(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) //nolint:mnd // RFC 5280 allows 20 bytes
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, SerialNumber: serial.Text(16)}, //nolint:mnd // hexadecimal
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(lifetime),
	}, nil
}

// loopback returns the addresses of this machine.
func loopback() []*net.IPNet {
	return []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}, //nolint:mnd // 127.0.0.0/8
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},          //nolint:mnd // ::1/128
	}
}

// writeCA writes the certificate of a CA, in PEM. It replaces a file only if that is the
// certificate of an earlier start: the name may be a mistake for the system's certificates.
func writeCA(name string, text []byte) error {
	old, err := os.ReadFile(name)
	switch {
	case err == nil && !isOurs(old):
		return fmt.Errorf("%w: %s exists and is not a CA certificate of wxgate sim; choose another file", ErrCAFile, name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrCAFile, err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec,mnd // G306: a certificate is for all to read
		return fmt.Errorf("%w: %w", ErrCAFile, err)
	}
	return nil
}

// isOurs reports whether a file is empty, or the certificate of a CA that newAuthority made, and
// nothing else.
func isOurs(text []byte) bool {
	if len(bytes.TrimSpace(text)) == 0 {
		return true
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != certificateType || len(bytes.TrimSpace(rest)) > 0 {
		return false
	}
	found, err := x509.ParseCertificate(block.Bytes)
	return err == nil && found.Subject.CommonName == authorityName
}
