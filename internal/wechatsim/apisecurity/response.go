package apisecurity

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A Spoil is one way in which a response is not what it should be.
type Spoil string

// The ways.
const (
	Good              Spoil = ""
	WrongTag          Spoil = "wrong_tag"          // GCM's tag, under a right signature
	WrongSignature    Spoil = "wrong_signature"    // of another text
	UnknownSerial     Spoil = "unknown_serial"     // signed by a key that no gateway has
	DeprecatedUnknown Spoil = "deprecated_unknown" // and so is the deprecated signature
	OldTimestamp      Spoil = "old_timestamp"      // made an hour ago
	OtherAppID        Spoil = "other_appid"        // made for another mini program
	InnerAppID        Spoil = "inner_appid"        // _appid differs from the header
	InnerTimestamp    Spoil = "inner_timestamp"    // _timestamp differs from the header
	Unsigned          Spoil = "unsigned"           // without the headers
	PlainSuccess      Spoil = "plain_success"      // without headers and encryption
)

// Spoils returns all ways, without Good.
func Spoils() []Spoil {
	return []Spoil{
		WrongTag, WrongSignature, UnknownSerial, DeprecatedUnknown, OldTimestamp, OtherAppID, InnerAppID, InnerTimestamp, Unsigned, PlainSuccess,
	}
}

const (
	// anHour is the age of an old timestamp.
	anHour = time.Hour
	// unregistered is the appid of no mini program.
	unregistered = "wx0000000000000000"
)

// Seal encrypts and signs a response: a JSON object. It returns the headers and the body.
func (a *App) Seal(address string, plain []byte, now time.Time, spoil Spoil) (http.Header, []byte, error) {
	if spoil == PlainSuccess {
		return nil, plain, nil
	}
	id, at := a.id, now
	if spoil == OldTimestamp {
		at = now.Add(-anHour)
	}
	if spoil == OtherAppID {
		id = unregistered
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	body, err := a.encrypt(address, stamp, a.withAdded(plain, stamp, spoil), spoil)
	if err != nil {
		return nil, nil, err
	}
	if spoil == Unsigned {
		return nil, body, nil
	}
	header := http.Header{}
	header.Set("Wechatmp-AppId", id)
	header.Set("Wechatmp-TimeStamp", stamp)
	for i, by := range a.signers {
		suffix := ""
		if i > 0 {
			suffix = "-Deprecated"
		}
		if err := by.mark(header, suffix, hash(address, id, stamp, body), spoil); err != nil {
			return nil, nil, err
		}
	}
	if spoil == DeprecatedUnknown && len(a.signers) == 1 {
		err = a.signers[0].mark(header, "-Deprecated", hash(address, id, stamp, body), spoil)
	}
	return header, body, err
}

// withAdded adds the members that every encrypted object has.
func (a *App) withAdded(plain []byte, stamp string, spoil Spoil) []byte {
	id, inner := a.id, stamp
	if spoil == InnerAppID {
		id = unregistered
	}
	if spoil == InnerTimestamp {
		inner += "1"
	}
	added := fmt.Sprintf(`{"_n":%q,"_appid":%q,"_timestamp":%s`, rand.Text(), id, inner)
	rest := bytes.TrimPrefix(bytes.TrimSpace(plain), []byte("{"))
	if !bytes.HasPrefix(bytes.TrimSpace(rest), []byte("}")) {
		added += ","
	}
	return append([]byte(added), rest...)
}

func (a *App) encrypt(address, stamp string, plain []byte, spoil Spoil) ([]byte, error) {
	iv := make([]byte, a.aead.NonceSize())
	_, _ = rand.Read(iv) // never fails
	sealed := a.aead.Seal(nil, iv, plain, a.additional(address, stamp))
	if spoil == WrongTag {
		sealed[len(sealed)-1] ^= 1
	}
	split := len(sealed) - a.aead.Overhead()
	return json.Marshal(envelope{IV: iv, Data: sealed[:split], Tag: sealed[split:]})
}

// mark adds the number and the signature of one key to the headers.
func (s signer) mark(header http.Header, suffix string, digest []byte, spoil Spoil) error {
	number := s.serial
	if spoil == WrongSignature {
		digest = hash("", "", "", digest)
	}
	if spoil == UnknownSerial || spoil == DeprecatedUnknown {
		number = newSerial()
	}
	mark, err := rsa.SignPSS(rand.Reader, s.key, crypto.SHA256, digest, pss)
	if err != nil {
		return fmt.Errorf("signing the response: %w", err)
	}
	header.Set("Wechatmp-Serial"+suffix, number)
	header.Set("Wechatmp-Signature"+suffix, base64.StdEncoding.EncodeToString(mark))
	return nil
}
