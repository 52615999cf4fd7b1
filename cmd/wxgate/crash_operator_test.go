package main_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// keyState is what the operator knows about a signing key.
type keyState int

const (
	active   keyState = iota // or not listed yet: a key that a token names exists
	waiting                  // has not signed yet: a changed alg may remove it
	doubtful                 // its retirement has no response yet
	retired
)

// lifetime is a key's state before and after a request that depended on it.
type lifetime struct{ before, after keyState }

// certain reports whether the key was valid all the time.
func (l lifetime) certain() bool {
	valid := func(s keyState) bool { return s == active || s == waiting }
	return valid(l.before) && valid(l.after)
}

// keyring is the model of the signing keys.
type keyring struct {
	mu   sync.Mutex
	keys map[string]keyState
}

func (k *keyring) state(token string) keyState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[keyOf(token)]
}

// during sends a request and returns the state of the token's key before and after it.
func (k *keyring) during(token string, send func() reply) (reply, lifetime) {
	l := lifetime{before: k.state(token)}
	r := send()
	l.after = k.state(token)
	return r, l
}

// keyOf returns the kid in the header of a JWT.
func keyOf(token string) string {
	head, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Kid string `json:"kid"`
	}
	_ = json.Unmarshal(text, &header)
	return header.Kid
}

func (k *keyring) set(id string, s keyState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[id] = s
}

// reconfigured records that keys which have not signed yet may be removed.
func (k *keyring) reconfigured() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, s := range k.keys {
		if s == waiting {
			delete(k.keys, id)
		}
	}
}

// listedKey is a line of GET /wxgate/keys.
type listedKey struct {
	ID    string `json:"id"`
	Alg   string `json:"alg"`
	State string `json:"state"`
}

// listed checks a list of all keys.
func (k *keyring) listed(list []listedKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	there := make(map[string]bool, len(list))
	signing := 0
	for _, key := range list {
		if key.State == "retired" { // listed until its last token would have ended
			if s := k.keys[key.ID]; s == active || s == waiting {
				return fmt.Errorf("the key %s is retired, but no request retired it", key.ID)
			}
			continue
		}
		there[key.ID] = true
		if key.State == "signing" {
			signing++
		}
		if k.keys[key.ID] == retired {
			return fmt.Errorf("the retired key %s is back", key.ID)
		}
		k.keys[key.ID] = active
		if key.State == "next" {
			k.keys[key.ID] = waiting
		}
	}
	if signing != 1 {
		return fmt.Errorf("%d keys sign", signing)
	}
	for id, s := range k.keys {
		if there[id] {
			continue
		}
		if s == active || s == waiting {
			return fmt.Errorf("the key %s is gone", id)
		}
		k.keys[id] = retired
	}
	return nil
}

// operator rotates and retires keys, one call at a time. If reloads is set, it also reloads the
// configuration.
type operator struct {
	w       *world
	reloads bool
	list    []listedKey // the last list that was received
}

// pause waits for a random time, at most most.
func pause(ctx context.Context, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(most)):
	}
}

func (o *operator) run(ctx context.Context) {
	for ctx.Err() == nil {
		switch n := rand.IntN(20); {
		case n < 8 && o.reloads:
			o.reload()
		case n < 12:
			o.change("/wxgate/keys/rotate", map[string]any{"immediate": n%2 == 0}, "rotations")
		case n < 15:
			o.retire()
		default:
			o.look()
		}
		pause(ctx, 200*time.Millisecond)
	}
}

func (o *operator) look() {
	r := o.w.gateway.operate(http.MethodGet, "/wxgate/keys", "", nil)
	o.judge("listing the keys", r)
}

// judge checks the list of keys, which is the response to every call about keys.
func (o *operator) judge(what string, r reply) {
	if !o.w.received(r) {
		return
	}
	if r.status != http.StatusOK {
		o.w.wrong(what, r.unexpected())
		return
	}
	var list []listedKey
	if err := json.Unmarshal([]byte(r.body), &list); err != nil {
		o.w.wrong(what, err)
		return
	}
	o.list = slices.DeleteFunc(slices.Clone(list), func(key listedKey) bool { return key.State == "retired" })
	if err := o.w.keys.listed(list); err != nil {
		o.w.wrong(what, err)
	}
}

func (o *operator) change(path string, in map[string]any, figure string) (received bool) {
	body, err := json.Marshal(in)
	if err != nil {
		o.w.wrong(path, err)
		return false
	}
	o.w.count(figure)
	r := o.w.gateway.operate(http.MethodPost, path, "application/json", body)
	o.judge(path, r)
	return r.received()
}

// retire retires a key, mostly an old one, and keeps the ring small: its limit is 64 keys.
func (o *operator) retire() {
	const many = 10
	if len(o.list) < 3 {
		return
	}
	i := 0
	if len(o.list) < many && rand.IntN(3) == 0 {
		i = rand.IntN(len(o.list))
	}
	id := o.list[i].ID
	o.w.keys.set(id, doubtful)
	if o.change("/wxgate/keys/retire", map[string]any{"key": id}, "retired keys") {
		o.w.keys.set(id, retired)
	} else {
		o.list = nil // list the keys before the next call
	}
}

// tokenSettings are the settings that reloads switch between. None of them may end a session.
var tokenSettings = []string{"alg EdDSA", "alg ES256", "issuer elsewhere", "alg EdDSA\n\t\t\taudience a b", "alg HS256"}

func (o *operator) reload() {
	o.w.keys.reconfigured()
	o.w.gateway.settings = tokenSettings[rand.IntN(len(tokenSettings))]
	config := o.w.gateway.configure()
	o.w.count("reloads")
	r := o.w.gateway.operate(http.MethodPost, "/load", "text/caddyfile", config)
	if o.w.received(r) && r.status != http.StatusOK {
		o.w.wrong("reloading", r.unexpected())
	}
	o.list = nil
}

// audit checks the list of keys, and that the keys are published.
func (o *operator) audit() {
	o.list = nil
	o.look()
	r := o.w.gateway.send(http.MethodGet, "/.well-known/jwks.json", "", "")
	if !o.w.received(r) {
		return
	}
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal([]byte(r.body), &set); err != nil || r.status != http.StatusOK {
		o.w.wrong("the key set", r.unexpected())
		return
	}
	var published []string
	for _, key := range set.Keys {
		published = append(published, key.Kid)
	}
	for _, key := range o.list {
		if key.Alg != "HS256" && !slices.Contains(published, key.ID) {
			o.w.wrong("the key set", fmt.Errorf("the key %s is not in it", key.ID))
		}
	}
}
