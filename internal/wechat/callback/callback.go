// Package callback reads the messages that WeChat pushes to the server of a mini program: it
// checks the sender and the time, decrypts the messages, and returns the user that they are
// about.
package callback

import (
	"crypto/sha1" //nolint:gosec // WeChat signs callbacks with SHA-1
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// MaxBytes is the longest message that is accepted. A user's longest text,
// encrypted and encoded, has some 12 KiB.
const MaxBytes = 64 << 10

const (
	// maxAge is the maximum age of a callback, and how far its time may be ahead of our clock.
	// WeChat tries three times within 15 s. A recorded message must not end a session that its
	// user started later.
	maxAge = 5 * time.Minute
	// maxParameterBytes bounds each query parameter of a callback: they have some 20.
	maxParameterBytes = 256
	// aesKeyChars is the length of an EncodingAESKey: base64 of 32 bytes, unpadded.
	aesKeyChars = 43
)

// Config has the settings of the message push in the console of a mini program (消息推送配置).
type Config struct {
	// AppID is the mini program that the messages are for.
	AppID auth.AppID
	// Component, if set, is the third-party platform whose key encrypts.
	Component auth.AppID
	// Token is the shared secret of the signatures.
	Token string
	// EncodingAESKey, if set, is required: messages that are not encrypted with it are refused.
	// Without it a message's signature does not cover its content.
	EncodingAESKey string
	// Now defaults to [time.Now].
	Now func() time.Time
}

// Receiver reads the messages that WeChat pushes for one mini program. It remembers only which
// encrypted messages were handled. It is safe for concurrent use.
type Receiver struct {
	cfg     Config
	key     []byte // nil in plain mode
	handled handled
}

// New checks the config. Its errors wrap [auth.ErrAppMisconfigured] and contain
// neither the token nor the key.
func New(cfg Config) (*Receiver, error) {
	if len(cfg.Token) < 3 || len(cfg.Token) > 32 || !alphanumeric(cfg.Token) {
		return nil, fmt.Errorf("%w: the callback's token is 3 to 32 letters and digits, as in WeChat's console", auth.ErrAppMisconfigured)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Receiver{cfg: cfg}
	if cfg.EncodingAESKey == "" {
		return c, nil
	}
	if len(cfg.EncodingAESKey) != aesKeyChars || !alphanumeric(cfg.EncodingAESKey) {
		return nil, fmt.Errorf("%w: the callback's EncodingAESKey is %d letters and digits, as in WeChat's console", auth.ErrAppMisconfigured, aesKeyChars)
	}
	// Not strict: 43 random characters have two bits more than the key.
	key, err := base64.RawStdEncoding.DecodeString(cfg.EncodingAESKey)
	if err != nil {
		return nil, fmt.Errorf("%w: the callback's EncodingAESKey is not valid base64", auth.ErrAppMisconfigured)
	}
	c.key = key
	return c, nil
}

func alphanumeric(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) < 0
}

// Echo returns the response to the console's check of the address. It returns
// [auth.ErrForbidden] if the sender does not know the token.
func (c *Receiver) Echo(query url.Values) (string, error) {
	echo, err := parameter(query, "echostr")
	if err != nil {
		return "", err
	}
	return echo, c.verify(query, "signature")
}

// Open checks a message and reads it. It returns [auth.ErrForbidden] if WeChat did
// not send the message for this app or not recently, and [auth.ErrInvalidRequest]
// if the body is not a message.
func (c *Receiver) Open(query url.Values, body []byte) (Push, error) {
	if len(body) > MaxBytes {
		return Push{}, fmt.Errorf("%w: a callback of %d bytes", auth.ErrInvalidRequest, len(body))
	}
	if c.key == nil {
		if err := c.verify(query, "signature"); err != nil {
			return Push{}, err
		}
		return c.read(body)
	}
	object, isXML, err := readMessage(body)
	if err != nil {
		return Push{}, err
	}
	outer, err := fieldsOf(object)
	if err != nil {
		return Push{}, err
	}
	if outer.Encrypt == "" {
		return Push{}, fmt.Errorf("%w: the callback is not encrypted, but an EncodingAESKey is configured", auth.ErrForbidden)
	}
	if err := c.verify(query, "msg_signature", outer.Encrypt); err != nil {
		return Push{}, err
	}
	plain, to, err := c.decrypt(outer.Encrypt)
	if err != nil {
		return Push{}, err
	}
	push, err := c.read(plain)
	if err != nil {
		return Push{}, err
	}
	push.from, push.digest = c, sha256.Sum256([]byte(outer.Encrypt))
	push.envelope = envelope{receiver: to, nonce: query.Get("nonce"), isXML: isXML}
	return push, nil
}

// verify checks the time of a callback and its signature: the SHA-1 of the token, the time, the
// nonce and the signed text, sorted and joined. That is not a MAC: the signature does not cover
// where one value ends and the next begins. So each value must match its alphabet, and the time
// must be digits; otherwise an attacker could move characters from one signed value to another.
func (c *Receiver) verify(query url.Values, name string, signed ...string) error {
	given, err := parameter(query, name)
	if err != nil {
		return err
	}
	stamp, err := parameter(query, "timestamp")
	if err != nil {
		return err
	}
	nonce, err := parameter(query, "nonce")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(stamp) > 12 || strings.Trim(stamp, "0123456789") != "" {
		return fmt.Errorf("%w: the timestamp of the callback is not a number", auth.ErrInvalidRequest)
	}
	if subtle.ConstantTimeCompare([]byte(c.sign(append(signed, stamp, nonce)...)), []byte(given)) != 1 {
		return fmt.Errorf("%w: the signature of a callback is wrong", auth.ErrForbidden)
	}
	if age := c.cfg.Now().Sub(time.Unix(seconds, 0)); age > maxAge || age < -maxAge {
		return fmt.Errorf("%w: callback timestamp is off by %v (limit %v)", auth.ErrForbidden, age, maxAge)
	}
	return nil
}

// sign returns the SHA-1 of the token and the parts, sorted and joined, in hex.
func (c *Receiver) sign(parts ...string) string {
	parts = append([]string{c.cfg.Token}, parts...)
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // WeChat signs callbacks with SHA-1
	return hex.EncodeToString(sum[:])
}

// parameter returns a query parameter that must appear once and consist of visible
// ASCII characters.
func parameter(query url.Values, name string) (string, error) {
	values := query[name]
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxParameterBytes || strings.ContainsFunc(values[0], invisible) {
		return "", fmt.Errorf("%w: a callback needs one parameter %s", auth.ErrInvalidRequest, name)
	}
	return values[0], nil
}

func invisible(r rune) bool { return r <= ' ' || r > '~' }
