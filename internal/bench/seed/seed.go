// Package seed prepares the data directory of a gateway before `wxgate bench` starts it:
// signing keys, with which it issues tokens as the gateway would, and a session store with
// any number of sessions and revocations.
package seed

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// The defaults of a gateway's configuration, which docs/caddyfile.md has.
const (
	issuer  = "wxgate"
	access  = time.Hour
	refresh = 30 * 24 * time.Hour
	idle    = 7 * 24 * time.Hour
)

const (
	fileMode      = 0o600
	directoryMode = 0o700
)

// Keys are the root secret and the signing key of a gateway. All gateways of a run have the
// same, so that each accepts the tokens of every other.
type Keys struct {
	app    auth.AppID
	secret []byte
	ring   storage
	box    *seal.Box
	tokens *token.Tokens
}

// New makes keys for the users of one app. Call [Keys.Close].
func New(ctx context.Context, app auth.AppID) (*Keys, error) {
	k := &Keys{app: app, secret: []byte(rand.Text() + rand.Text())}
	var err error
	if k.box, err = seal.New(k.secret); err != nil {
		return nil, err
	}
	ring, err := keyring.Open(ctx, keyring.Config{Storage: &k.ring, Box: k.box, Issuer: issuer, Access: access})
	if err != nil {
		return nil, err
	}
	if k.tokens, err = token.New(token.Config{Ring: ring, Box: k.box}); err != nil {
		return nil, err
	}
	return k, nil
}

// Close stops issuing tokens.
func (k *Keys) Close() { k.tokens.Close() }

// Write writes the keys to home, where a gateway with this XDG_DATA_HOME reads them.
func (k *Keys) Write(home string) error {
	dir := dataDirectory(home)
	if err := os.MkdirAll(dir, directoryMode); err != nil {
		return fmt.Errorf("creating a data directory: %w", err)
	}
	for name, text := range map[string][]byte{"root_secret": k.secret, "keys": k.ring.blob} {
		if err := os.WriteFile(filepath.Join(dir, name), text, fileMode); err != nil {
			return fmt.Errorf("writing the gateway's keys: %w", err)
		}
	}
	return nil
}

// StorePath is the file of the session store of the gateway at home.
func StorePath(home string) string { return filepath.Join(dataDirectory(home), "wxgate.db") }

// dataDirectory is where wxgate keeps its keys and its session store.
func dataDirectory(home string) string { return filepath.Join(home, "caddy", "wxgate") }

// TokenLife is how long the tokens of [Keys.Tokens] are valid.
const TokenLife = access

// Token is an access token and its user.
type Token struct {
	Access, OpenID string
}

// Tokens issues access tokens, each for another user.
func (k *Keys) Tokens(n int) ([]Token, error) {
	now := time.Now()
	tokens := make([]Token, n)
	for i := range tokens {
		s := k.session(now)
		raw, err := k.tokens.Issue(auth.Identity{User: s.User, Session: s.ID, IssuedAt: now, Expires: s.AccessEnd})
		if err != nil {
			return nil, fmt.Errorf("issuing access tokens: %w", err)
		}
		tokens[i] = Token{Access: raw, OpenID: string(s.User.OpenID)}
	}
	return tokens, nil
}

// session returns the session of a new user who has just logged in.
func (k *Keys) session(now time.Time) *auth.Session {
	user := auth.User{App: k.app, OpenID: NewOpenID()}
	id := auth.NewSessionID(now, user)
	return &auth.Session{
		ID: id, User: user, CreatedAt: now,
		AbsoluteEnd: now.Add(refresh), IdleEnd: now.Add(idle), AccessEnd: now.Add(access),
		Refresh: auth.StartRefresh(auth.NewRefreshToken(id)),
	}
}

// NewOpenID returns an openid of 28 characters that begins with "o", as WeChat's.
func NewOpenID() auth.OpenID {
	const randomBytes = 21
	return auth.OpenID("o" + random(base64.RawURLEncoding, randomBytes)[1:])
}

func random(encoding *base64.Encoding, n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand.Read
	return encoding.EncodeToString(b)
}

// storage is a [keyring.Storage] in memory, for one goroutine.
type storage struct{ blob []byte }

// Load implements [keyring.Storage].
func (s *storage) Load(context.Context) ([]byte, error) { return s.blob, nil }

// Update implements [keyring.Storage].
func (s *storage) Update(_ context.Context, change func([]byte) ([]byte, error)) error {
	changed, err := change(s.blob)
	if err == nil && changed != nil {
		s.blob = changed
	}
	return err
}

// Interface guards
var _ keyring.Storage = (*storage)(nil)
