package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"sync"
)

const (
	// maxUses is how many values one key seals. The probability that two of 2^20 random
	// nonces of 96 bits are equal is 2^-57 for each key.
	maxUses = 1 << 20

	// maxKept is how many keys are kept for opening, some 700 bytes each. A store has one key
	// for each start of a gateway, or for a million of its values.
	maxKept = 1024
)

type salt [saltBytes]byte

// keyName identifies a derived key.
type keyName struct {
	secret  [idBytes]byte
	purpose string
	salt    salt
}

// keys caches derived keys: the derivation takes several times as long as sealing a value. The
// zero value is ready to use.
type keys struct {
	mu   sync.RWMutex
	kept map[keyName]cipher.AEAD

	sealMu  sync.Mutex
	sealing map[string]*sealingKey // by purpose
}

type sealingKey struct {
	salt salt
	aead cipher.AEAD
	uses int
}

// forSealing returns a key that has not reached maxUses, and counts one use.
func (k *keys) forSealing(s secret, purpose string) (salt, cipher.AEAD, error) {
	k.sealMu.Lock()
	defer k.sealMu.Unlock()
	key := k.sealing[purpose]
	if key == nil || key.uses >= maxUses {
		key = new(sealingKey)
		_, _ = rand.Read(key.salt[:]) // never fails: crypto/rand.Read
		var err error
		if key.aead, err = s.aead(purpose, key.salt); err != nil {
			return salt{}, nil, err
		}
		if k.sealing == nil {
			k.sealing = make(map[string]*sealingKey)
		}
		k.sealing[purpose] = key
	}
	key.uses++
	return key.salt, key.aead, nil
}

// forOpening returns the key of a value.
func (k *keys) forOpening(s secret, name keyName) (cipher.AEAD, error) {
	k.mu.RLock()
	aead, ok := k.kept[name]
	k.mu.RUnlock()
	if ok {
		return aead, nil
	}
	return s.aead(name.purpose, name.salt)
}

// keep keeps a key that opened a value, and drops an arbitrary other key if there are too many.
// A key that opened nothing is not kept: a client chooses the salt of the values it sends, and
// could flush the cache.
func (k *keys) keep(name keyName, aead cipher.AEAD) {
	k.mu.RLock()
	_, ok := k.kept[name]
	k.mu.RUnlock()
	if ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = make(map[keyName]cipher.AEAD)
	}
	for other := range k.kept {
		if len(k.kept) < maxKept {
			break
		}
		delete(k.kept, other)
	}
	k.kept[name] = aead
}
