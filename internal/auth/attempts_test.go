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

// triedStore is a store whose user has session keys, and whose attempts it counts.
type triedStore struct {
	*onlyStore

	mu       sync.Mutex
	keys     []auth.SessionKey
	attempts auth.Attempts
	down     bool
}

func (s *triedStore) SessionKeys(context.Context, auth.User) ([]auth.SessionKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys), nil
}

func (s *triedStore) UpdateAttempts(_ context.Context, _ auth.User, change func(*auth.Attempts)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return auth.ErrStoreUnavailable
	}
	change(&s.attempts)
	return nil
}

func (s *triedStore) PutSessionKey(_ context.Context, _ auth.User, key auth.SessionKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append([]auth.SessionKey{key}, s.keys...)
	return nil
}

func (s *triedStore) DropSessionKey(_ context.Context, _ auth.User, key auth.SessionKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = slices.DeleteFunc(s.keys, func(k auth.SessionKey) bool { return k.Key == key.Key })
	return nil
}

// keyedPlatform opens data that names one of the keys, and nothing else.
type keyedPlatform struct {
	onlyPlatform

	opened chan struct{} // when not nil, Open waits for it
	fresh  string        // the key that a reset returns; "" refuses it

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
			return auth.Opened{JSON: []byte("{}")}, nil
		}
	}
	return auth.Opened{}, auth.ErrDecryptFailed
}

func (p *keyedPlatform) ResetSessionKey(context.Context, auth.OpenID, auth.SessionKey) (auth.SessionKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resets++
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
	locked   []error // why the platform did not replace a locked key, one each
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

func TestSessionKeyLocks(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.want("forged", auth.ErrDecryptFailed, 15)
	d.want("k1", nil, 3) // a success takes nothing back
	d.want("malformed", auth.ErrInvalidRequest, 30)
	d.want("forged", auth.ErrDecryptFailed, 1)
	d.want("k1", auth.ErrSessionStale, 2)
	if asked, resets := d.platform.calls(); asked != 15+3+30+1 || resets != 1 || len(d.locked) != 1 {
		t.Errorf("%d attempts were made, %d resets, %d warnings", asked, resets, len(d.locked))
	}
	d.now = d.now.Add(24*time.Hour - time.Second)
	d.want("k1", auth.ErrSessionStale, 1)
	d.now = d.now.Add(time.Second)
	d.want("k1", nil, 1)
}

// A key that the platform returns again is locked still; another one is not.
func TestSessionKeyLockFollowsTheKey(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.want("forged", auth.ErrDecryptFailed, 16)
	d.store.keys = []auth.SessionKey{{Key: "k1"}} // after another login
	d.want("k1", auth.ErrSessionStale, 1)
	d.store.keys = []auth.SessionKey{{Key: "k2"}, {Key: "k1"}}
	d.want("k2", nil, 1)
	d.want("k1", auth.ErrSessionStale, 1)
}

// Where the platform can replace the key, the user goes on with the new one.
func TestLockedKeyIsReplaced(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.platform.fresh = "k2"
	d.want("forged", auth.ErrDecryptFailed, 16)
	if len(d.locked) != 1 || d.locked[0] != nil {
		t.Fatalf("the warnings are %v", d.locked)
	}
	d.want("k2", nil, 1)
	d.want("k1", auth.ErrDecryptFailed, 1)
}

// New session keys do not make more than 64 failures a day, which ends at midnight
// in Beijing.
func TestFailuresOfADay(t *testing.T) {
	t.Parallel()
	d := newTries(t)
	for n := range 4 {
		d.store.keys = []auth.SessionKey{{Key: fmt.Sprintf("k%d", n)}}
		d.want("forged", auth.ErrDecryptFailed, 16)
	}
	d.store.keys = []auth.SessionKey{{Key: "k9"}}
	var limit *auth.LimitError
	if err := d.decode("k9"); !errors.As(err, &limit) || !errors.Is(err, auth.ErrRateLimited) || limit.RetryAfter != time.Hour {
		t.Fatalf("got %v, want a wait of an hour", err)
	}
	d.now = d.now.Add(time.Hour)
	d.want("k9", nil, 1)
}

// An honest user whose data is stale now and then is never locked out.
func TestStaleDataNowAndThen(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	for range 30 {
		d.want("stale", auth.ErrDecryptFailed, 10)
		d.want("k1", nil, 1)
		d.now = d.now.Add(25 * time.Hour)
	}
}

// Attempts at the same time do not exceed the limit together.
func TestAttemptsAtOnce(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.platform.opened = make(chan struct{})
	outcomes := make(chan error, 100)
	for range cap(outcomes) {
		go func() { outcomes <- d.decode("forged") }()
	}
	for range cap(outcomes) - 16 { // the others are refused while 16 wait
		if err := <-outcomes; !errors.Is(err, auth.ErrRateLimited) {
			t.Errorf("got %v", err)
		}
	}
	close(d.platform.opened)
	for range 16 {
		if err := <-outcomes; !errors.Is(err, auth.ErrDecryptFailed) {
			t.Errorf("got %v", err)
		}
	}
	if asked, _ := d.platform.calls(); asked != 16 {
		t.Errorf("%d attempts were made", asked)
	}
}

// Without the store nothing is decrypted.
func TestAttemptsWithoutStore(t *testing.T) {
	t.Parallel()
	d := newTries(t, "k1")
	d.store.down = true
	d.want("k1", auth.ErrStoreUnavailable, 1)
	if asked, _ := d.platform.calls(); asked != 0 {
		t.Errorf("%d attempts were made", asked)
	}
}
