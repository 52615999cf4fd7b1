package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// triedStore has the session keys of one user and the user's attempts.
type triedStore struct {
	*onlyStore

	mu       sync.Mutex
	keys     []auth.SessionKey
	attempts auth.Attempts
	fails    string // the method that returns ErrStoreUnavailable
}

// failure is the error of a method.
func (s *triedStore) failure(method string) error {
	if s.fails != method {
		return nil
	}
	return fmt.Errorf("%w: %s", auth.ErrStoreUnavailable, method)
}

func (s *triedStore) SessionKeys(context.Context, auth.User) ([]auth.SessionKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys), s.failure("SessionKeys")
}

func (s *triedStore) UpdateAttempts(_ context.Context, _ auth.User, change func(*auth.Attempts)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure("UpdateAttempts"); err != nil {
		return err
	}
	change(&s.attempts)
	return nil
}

func (s *triedStore) PutSessionKey(_ context.Context, _ auth.User, key auth.SessionKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure("PutSessionKey"); err != nil {
		return err
	}
	s.keys = append([]auth.SessionKey{key}, s.keys...)
	return nil
}

func (s *triedStore) DropSessionKey(_ context.Context, _ auth.User, key auth.SessionKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure("DropSessionKey"); err != nil {
		return err
	}
	s.keys = slices.DeleteFunc(s.keys, func(k auth.SessionKey) bool { return k.Key == key.Key })
	return nil
}

// keyedPlatform opens data that names one of the keys, and nothing else.
type keyedPlatform struct {
	onlyPlatform

	opened  chan struct{} // when not nil, Open waits for it
	fresh   string        // the key that a reset returns; "" refuses it
	fails   error         // of CheckSession and ResetSessionKey
	phone   *auth.Phone   // the phone number in data that opens
	checked error         // of CheckPhone

	mu            sync.Mutex
	asked, resets int
}

func (p *keyedPlatform) Open(keys []auth.SessionKey, data auth.OpenData) (auth.Opened, error) {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	if p.opened != nil {
		<-p.opened
	}
	if data.EncryptedData == "malformed" {
		return auth.Opened{}, fmt.Errorf("%w: not base64", auth.ErrInvalidRequest)
	}
	for _, key := range keys {
		if data.EncryptedData == key.Key {
			return auth.Opened{JSON: []byte("{}"), Phone: p.phone}, nil
		}
	}
	return auth.Opened{}, auth.ErrDecryptFailed
}

func (p *keyedPlatform) CheckSession(context.Context, auth.OpenID, auth.SessionKey) error {
	return p.fails
}

func (p *keyedPlatform) CheckPhone(context.Context, auth.OpenData) error { return p.checked }

func (p *keyedPlatform) ResetSessionKey(context.Context, auth.OpenID, auth.SessionKey) (auth.SessionKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resets++
	if p.fails != nil {
		return auth.SessionKey{}, p.fails
	}
	if p.fresh == "" {
		return auth.SessionKey{}, auth.ErrUnsupported
	}
	return auth.SessionKey{Key: p.fresh}, nil
}

func (p *keyedPlatform) calls() (asked, resets int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.resets
}

// tries is a service with a clock and one user.
type tries struct {
	t        *testing.T
	store    *triedStore
	platform *keyedPlatform
	service  *auth.Service
	now      time.Time
	locked   []error // for each locked key: why the platform did not replace it
}

// beforeMidnight is 23:00 in Beijing.
var beforeMidnight = time.Date(2026, 9, 1, 15, 0, 0, 0, time.UTC)

func newTries(t *testing.T, keys ...string) *tries {
	t.Helper()
	d := &tries{t: t, store: &triedStore{onlyStore: &onlyStore{}}, platform: &keyedPlatform{}, now: beforeMidnight}
	for _, key := range keys {
		d.store.keys = append(d.store.keys, auth.SessionKey{Key: key})
	}
	d.service = auth.NewService(auth.Config{
		Apps: map[auth.AppID]auth.Platform{theApp: d.platform}, Tokens: plainTokens{}, Store: d.store,
		Now:       func() time.Time { return d.now },
		KeyLocked: func(_ auth.User, reset error) { d.locked = append(d.locked, reset) },
	})
	return d
}

func (d *tries) decode(data string) error {
	who := auth.Caller{Identity: &auth.Identity{User: auth.User{App: theApp, OpenID: "mallory"}}}
	_, err := d.service.Decode(d.t.Context(), who, auth.OpenData{EncryptedData: data}, anyApp)
	return err
}

func (d *tries) want(data string, want error, times int) {
	d.t.Helper()
	for n := range times {
		if err := d.decode(data); !errors.Is(err, want) || want == nil && err != nil {
			d.t.Fatalf("attempt %d of %q: %v, want %v", n+1, data, err, want)
		}
	}
}
