package apisecurity

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// WeChat's error codes for encrypted and signed requests.
const (
	MissingSerial     = 40230
	MissingTimestamp  = 40231
	MissingSignature  = 40232
	MissingAppID      = 40233
	InvalidSignature  = 40234
	InvalidEncryption = 40235
	InvalidAppID      = 40236
	AppIDMismatch     = 40237
	NoSymmetricKey    = 40238
	NoPublicKey       = 40239
	ExpiredTimestamp  = 40240
)

// window is how old a request may be.
const window = 300 * time.Second

// supported are the calls whose pages say that they support encrypted requests, of those
// that the simulator has. That of getuserencryptkey does too, but not how a GET is encrypted.
var supported = []string{
	"/cgi-bin/clear_quota", "/wxa/business/checkencryptedmsg", "/wxa/business/getuserphonenumber", "/wxa/msg_sec_check", "/wxa/getuserriskrank", "/wxa/getwxacodeunlimit",
}

// Supports reports whether the call of a path may be encrypted.
func Supports(path string) bool { return slices.Contains(supported, path) }

// Signed reports whether a request has the headers of a signed one, or some of them.
func Signed(header http.Header) bool {
	return header.Get("Wechatmp-AppId") != "" || header.Get("Wechatmp-TimeStamp") != "" || header.Get("Wechatmp-Signature") != ""
}

// envelope is an encrypted body.
type envelope struct {
	IV   []byte `json:"iv"`
	Data []byte `json:"data"`
	Tag  []byte `json:"authtag"`
}

// Open checks and decrypts a request of a mini program, whose access token it has. a is nil
// if no keys are set. It returns the parameters as a JSON object, or the error code.
func (a *App) Open(id, address string, header http.Header, body []byte, now time.Time) (plain []byte, errcode int) {
	stamp := header.Get("Wechatmp-TimeStamp")
	switch {
	case header.Get("Wechatmp-AppId") == "":
		return nil, MissingAppID
	case stamp == "":
		return nil, MissingTimestamp
	case header.Get("Wechatmp-Signature") == "":
		return nil, MissingSignature
	case header.Get("Wechatmp-AppId") != id:
		return nil, AppIDMismatch
	case a == nil:
		return nil, NoSymmetricKey
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > window {
		return nil, ExpiredTimestamp
	}
	mark, err := base64.StdEncoding.DecodeString(header.Get("Wechatmp-Signature"))
	if err != nil || rsa.VerifyPSS(a.public, crypto.SHA256, hash(address, id, stamp, body), mark, pss) != nil {
		return nil, InvalidSignature
	}
	var sealed envelope
	if json.Unmarshal(body, &sealed) != nil || len(sealed.IV) != a.aead.NonceSize() {
		return nil, InvalidEncryption
	}
	plain, err = a.aead.Open(nil, sealed.IV, append(sealed.Data, sealed.Tag...), a.additional(address, stamp))
	if err != nil {
		return nil, InvalidEncryption
	}
	return a.parameters(plain, seconds)
}

// parameters checks and removes the added members.
func (a *App) parameters(plain []byte, seconds int64) (rest []byte, errcode int) {
	var members map[string]json.RawMessage
	var added struct {
		Nonce     string `json:"_n"`
		AppID     string `json:"_appid"`
		Timestamp int64  `json:"_timestamp"`
	}
	if json.Unmarshal(plain, &members) != nil || json.Unmarshal(plain, &added) != nil ||
		added.Nonce == "" || added.AppID != a.id || added.Timestamp != seconds {
		return nil, InvalidEncryption
	}
	for _, name := range []string{"_n", "_appid", "_timestamp"} {
		delete(members, name)
	}
	rest, err := json.Marshal(members)
	if err != nil {
		return nil, InvalidEncryption
	}
	return rest, 0
}

var pss = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

// hash is what is signed.
func hash(address, id, stamp string, body []byte) []byte {
	sum := sha256.Sum256(bytes.Join([][]byte{[]byte(address), []byte(id), []byte(stamp), body}, []byte("\n")))
	return sum[:]
}

// additional is the data that GCM authenticates beside the ciphertext.
func (a *App) additional(address, stamp string) []byte {
	return []byte(address + "|" + a.id + "|" + stamp + "|" + a.keys.Encrypt.Serial)
}
