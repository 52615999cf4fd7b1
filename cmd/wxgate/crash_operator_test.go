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

// keyState is what is known of a signing key.
type keyState int

const (
	held     keyState = iota // or unknown: a key that a token names exists
	waiting                  // held, and has not signed yet: a changed alg may do away with it
	doubtful                 // its end was asked for and not answered yet
	retired
)

// lifetime is a key's state before and after a request that depended on it.
type lifetime struct{ before, after keyState }

// certain reports whether the key was good all the time.
func (l lifetime) certain() bool {
	good := func(s keyState) bool { return s == held || s == waiting }
	return good(l.before) && good(l.after)
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

// during runs a request and says what became of a token's key meanwhile.
func (k *keyring) during(token string, request func() reply) (reply, lifetime) {
	l := lifetime{before: k.state(token)}
	r := request()
	l.after = k.state(token)
	return r, l
}

// keyOf is the kid in a JWT's header.
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

// reconfigured takes note that keys which do not sign yet may go.
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

// listed judges the whole ring.
func (k *keyring) listed(list []listedKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	there := make(map[string]bool, len(list))
	signing := 0
	for _, key := range list {
		if key.State == "retired" { // listed until its last token would have ended
			if s := k.keys[key.ID]; s == held || s == waiting {
				return fmt.Errorf("the key %s is retired, and nobody did that", key.ID)
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
		k.keys[key.ID] = held
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
		if s == held || s == waiting {
			return fmt.Errorf("the key %s is gone", id)
		}
		k.keys[id] = retired
	}
	return nil
}

// operator rotates and retires keys and, if told to, reloads the configuration.
// There is one, and it does one thing at a time.
type operator struct {
	w       *world
	reloads bool
	list    []listedKey // the last that was answered
}

// pause keeps the disk and the operator's hands free for a moment.
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

// judge reads the list of keys that every call about keys answers.
func (o *operator) judge(what string, r reply) {
	if !o.w.answered(r) {
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

func (o *operator) change(path string, in map[string]any, figure string) (answered bool) {
	body, err := json.Marshal(in)
	if err != nil {
		o.w.wrong(path, err)
		return false
	}
	o.w.count(figure)
	r := o.w.gateway.operate(http.MethodPost, path, "application/json", body)
	o.judge(path, r)
	return r.answered()
}

// retire takes a key out that is not the newest, most of the time, and keeps the
// ring small: it holds 64.
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
		o.list = nil // look before acting again
	}
}

// tokenSettings are what reloads go through: none of them may log anybody out.
var tokenSettings = []string{"alg EdDSA", "alg ES256", "issuer elsewhere", "alg EdDSA\n\t\t\taudience a b", "alg HS256"}

func (o *operator) reload() {
	o.w.keys.reconfigured()
	o.w.gateway.settings = tokenSettings[rand.IntN(len(tokenSettings))]
	config := o.w.gateway.configure()
	o.w.count("reloads")
	r := o.w.gateway.operate(http.MethodPost, "/load", "text/caddyfile", config)
	if o.w.answered(r) && r.status != http.StatusOK {
		o.w.wrong("reloading", r.unexpected())
	}
	o.list = nil
}

// audit looks at the ring, and at what is published of it.
func (o *operator) audit() {
	o.list = nil
	o.look()
	r := o.w.gateway.send(http.MethodGet, "/.well-known/jwks.json", "", "")
	if !o.w.answered(r) {
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
