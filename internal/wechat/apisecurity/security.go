package apisecurity

import (
	"crypto/cipher"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config is the API security of one mini program, as WeChat's console has it (API 安全).
type Config struct {
	AppID string
	// Encrypt is the symmetric key, AES-256 in base64.
	Encrypt Key
	// Sign is the mini program's private key, RSA in PEM.
	Sign Key
	// Verify are WeChat's certificates or public keys, RSA in PEM: at least one. During a
	// change of certificates, both the old one and the new one.
	Verify []Key
	// Calls are paths that are encrypted in addition to those that WeChat documents.
	Calls []string
	// Plain are documented paths that are not encrypted.
	Plain []string
	// Now defaults to [time.Now].
	Now func() time.Time
}

// Security encrypts and signs the requests of one mini program, and verifies and decrypts
// the responses. It is safe for concurrent use.
type Security struct {
	appID         string
	aead          cipher.AEAD
	encryptSerial string
	sign          *rsa.PrivateKey
	verify        map[string]verifier // by serial
	calls         map[string]struct{}
	now           func() time.Time
}

// New checks the configuration. Errors name the option that is wrong and contain no key.
func New(cfg Config) (*Security, error) {
	s := &Security{appID: cfg.AppID, encryptSerial: cfg.Encrypt.Serial, verify: make(map[string]verifier, len(cfg.Verify)), now: cfg.Now}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.aead, err = cfg.Encrypt.aead(); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	if s.sign, err = cfg.Sign.private(); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if len(cfg.Verify) == 0 {
		return nil, errors.New("verify is required: WeChat's certificate, which its console offers for download")
	}
	for _, key := range cfg.Verify {
		if _, duplicate := s.verify[key.Serial]; duplicate {
			return nil, fmt.Errorf("verify: duplicate serial %q", key.Serial)
		}
		if s.verify[key.Serial], err = key.public(); err != nil {
			return nil, fmt.Errorf("verify %s: %w", key.Serial, err)
		}
	}
	if s.calls, err = encryptedCalls(cfg.Calls, cfg.Plain); err != nil {
		return nil, err
	}
	return s, nil
}

// CheckCalls checks the Calls and Plain of a [Config].
func CheckCalls(more, plain []string) error {
	_, err := encryptedCalls(more, plain)
	return err
}

// encryptedCalls returns the documented calls and more, without those that are plain.
func encryptedCalls(more, plain []string) (map[string]struct{}, error) {
	calls := make(map[string]struct{}, len(documented)+len(more))
	for _, path := range documented {
		calls[path] = struct{}{}
	}
	for _, path := range more {
		if err := checkPath(path); err != nil {
			return nil, fmt.Errorf("calls: %w", err)
		}
		if _, duplicate := calls[path]; duplicate {
			return nil, fmt.Errorf("calls: %s is encrypted already", path)
		}
		calls[path] = struct{}{}
	}
	for _, path := range plain {
		if !slices.Contains(documented, path) {
			return nil, fmt.Errorf("plain: %s is not one of the calls that WeChat documents as encrypted", path)
		}
		delete(calls, path)
	}
	return calls, nil
}

// neverEncrypted are the calls for sessions and tokens: they contain the app's secret, but no
// access token that identifies the app.
var neverEncrypted = []string{"/sns/", "/cgi-bin/token", "/cgi-bin/stable_token"}

func checkPath(path string) error {
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || u.Host != "" || u.Path != path || strings.ContainsAny(path, "*?#") {
		return fmt.Errorf("%q: expected an exact path such as /wxa/getuserriskrank", path)
	}
	if slices.ContainsFunc(neverEncrypted, func(never string) bool { return strings.HasPrefix(path, never) }) {
		return fmt.Errorf("%s: logins and token calls are never encrypted", path)
	}
	return nil
}

// Covers reports whether the call of a path is encrypted. A nil Security covers no calls.
func (s *Security) Covers(path string) bool {
	if s == nil {
		return false
	}
	_, ok := s.calls[path]
	return ok
}

// Expires returns the first time after which a configured certificate is no longer valid,
// and its serial; false if all are bare keys.
func (s *Security) Expires() (serial string, at time.Time, ok bool) {
	for number, v := range s.verify {
		if !v.expires.IsZero() && (!ok || v.expires.Before(at)) {
			serial, at, ok = number, v.expires, true
		}
	}
	return serial, at, ok
}

// additionalData is authenticated with a ciphertext.
func (s *Security) additionalData(address, timestamp string) []byte {
	return []byte(address + "|" + s.appID + "|" + timestamp + "|" + s.encryptSerial)
}

// signed returns the text that is signed.
func (s *Security) signed(address, timestamp string, body []byte) []byte {
	return append([]byte(address+"\n"+s.appID+"\n"+timestamp+"\n"), body...)
}

// address is the URL of a call as WeChat authenticates it: scheme, host and path. The path
// of a URL that [url.URL.JoinPath] made has no slash at its beginning.
func address(u *url.URL) string {
	return u.Scheme + "://" + u.Host + "/" + strings.TrimPrefix(u.EscapedPath(), "/")
}
