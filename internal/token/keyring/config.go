package keyring

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/token/signing"
)

const (
	// DefaultRotate is how long a key signs.
	DefaultRotate = 720 * time.Hour // 30 days
	// minRotate leaves time to publish the next key before it signs.
	minRotate = 2 * time.Minute
	// MaxAccess is the longest lifetime of an access token, which is that of a session.
	MaxAccess = 720 * time.Hour // 30 days
	// minAccess is the resolution of times in a JWT.
	minAccess = time.Second

	// MaxNameBytes is the longest issuer or audience; a URL fits.
	MaxNameBytes = 128
	maxAudiences = 8 // every token has all of them
)

// Storage stores one small value, the sealed ring. It is safe for concurrent use by
// all replicas. The context has the deadline.
type Storage interface {
	// Load returns the last written value; nil if there is none.
	Load(ctx context.Context) ([]byte, error)
	// Update replaces the value by the result of change. It is atomic: no Update of any
	// replica runs in between, and a crash leaves either the old value or the new one.
	// If change returns nil or an error, Update writes nothing; it returns the error,
	// wrapped or not. It may call change again with a newer value.
	Update(ctx context.Context, change func(old []byte) ([]byte, error)) error
}

// Config is the configuration of a [Ring]. Storage, Box, Issuer and Access are
// required.
type Config struct {
	Storage Storage
	Box     *seal.Box
	// Inherit returns the ring of the storage that was used before; nil if there is none. A
	// Storage that never had a ring starts with it. Default: no ring.
	Inherit func(ctx context.Context) ([]byte, error)

	Alg       signing.Alg // default EdDSA
	Issuer    string      // iss
	Audiences []string    // aud; default the issuer
	// Key signs in place of generated keys and is never rotated. Only its public half is
	// stored, except for HS256, where it is the secret. Default: keys are generated.
	Key *signing.Key

	Access time.Duration // the longest lifetime of an access token
	Rotate time.Duration // how long a generated key signs; default [DefaultRotate]

	Now func() time.Time // default time.Now
	// Changed is called after this replica created keys (including the first one) or started
	// to use a configured key, and after it retired keys. It must not use the ring. Default:
	// nothing is called.
	Changed func(made, retired []auth.KeyID)
	// Report is called with the errors of [Ring.Run], which tries again later. Default:
	// errors are dropped.
	Report func(error)
}

// complete sets the defaults and refuses settings that cannot work.
func (cfg Config) complete() (*Config, error) {
	if cfg.Storage == nil || cfg.Box == nil {
		return nil, fmt.Errorf("%w: a ring needs a storage and a root secret", ErrConfig)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Report == nil {
		cfg.Report = func(error) {}
	}
	if cfg.Changed == nil {
		cfg.Changed = func([]auth.KeyID, []auth.KeyID) {}
	}
	if cfg.Alg == "" {
		cfg.Alg = signing.DefaultAlg
	}
	if cfg.Rotate == 0 {
		cfg.Rotate = DefaultRotate
	}
	if len(cfg.Audiences) == 0 {
		cfg.Audiences = []string{cfg.Issuer}
	}
	cfg.Audiences = slices.Clone(cfg.Audiences)
	if _, err := signing.ParseAlg(string(cfg.Alg)); err != nil {
		return nil, err
	}
	if cfg.Key != nil && (!cfg.Key.CanSign() || cfg.Key.Alg() != cfg.Alg) {
		return nil, fmt.Errorf("%w: the configured key signs %s, alg is %s", signing.ErrAlg, cfg.Key.Alg(), cfg.Alg)
	}
	if err := cfg.checkNames(); err != nil {
		return nil, err
	}
	return &cfg, cfg.checkTimes()
}

func (cfg *Config) checkNames() error {
	if len(cfg.Audiences) > maxAudiences {
		return fmt.Errorf("%w: %d audiences, at most %d", ErrConfig, len(cfg.Audiences), maxAudiences)
	}
	for i, name := range append([]string{cfg.Issuer}, cfg.Audiences...) {
		control := strings.IndexFunc(name, unicode.IsControl) >= 0
		if name == "" || len(name) > MaxNameBytes || control || !utf8.ValidString(name) {
			return fmt.Errorf("%w: issuer or audience %q: 1 to %d bytes of text are needed", ErrConfig, name, MaxNameBytes)
		}
		if i > 0 && slices.Contains(cfg.Audiences[i:], name) {
			return fmt.Errorf("%w: duplicate audience %q", ErrConfig, name)
		}
	}
	n, err := tokenBytes(cfg)
	if err != nil {
		return err
	}
	if n > MaxTokenBytes {
		return fmt.Errorf("%w: with this issuer and these audiences a token has %d bytes, at most %d are allowed; shorten them",
			ErrConfig, n, MaxTokenBytes)
	}
	return nil
}

func (cfg *Config) checkTimes() error {
	if cfg.Access < minAccess || cfg.Access > MaxAccess {
		return fmt.Errorf("%w: access %s, it must be from %s to %s", ErrConfig, cfg.Access, minAccess, MaxAccess)
	}
	if cfg.Rotate < minRotate {
		return fmt.Errorf("%w: rotate %s, at least %s is needed to publish a key before it signs", ErrConfig, cfg.Rotate, minRotate)
	}
	// Each key is kept until its last token has expired.
	if kept := int64((cfg.Access+replicaLag)/cfg.Rotate) + 3; kept > maxKeys {
		return fmt.Errorf("%w: rotating every %s with tokens of %s keeps %d keys, at most %d; rotate less often",
			ErrConfig, cfg.Rotate, cfg.Access, kept, maxKeys)
	}
	return nil
}

// profile returns the profile that keys sign under.
func (cfg *Config) profile() Profile {
	return Profile{Issuer: cfg.Issuer, Audiences: cfg.Audiences, Access: cfg.Access}
}
