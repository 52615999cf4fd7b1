package wechat

import (
	"crypto/sha1" //nolint:gosec // WeChat's choice for the signature of a callback
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

// MaxCallbackBytes is how long a message may be that WeChat pushes. A user's
// longest text, encrypted and encoded, has some 12 KiB.
const MaxCallbackBytes = 64 << 10

const (
	// callbackAge is how old a callback may be, and how far ahead of our clock.
	// WeChat tries three times within 15 s. What somebody recorded must not end
	// the session that its user began since.
	callbackAge = 5 * time.Minute
	// maxParameterBytes bounds each parameter of a callback: they have some 20.
	maxParameterBytes = 256
	// aesKeyChars is the length of an EncodingAESKey: base64 of 32 bytes, unpadded.
	aesKeyChars = 43
)

// CallbackConfig is what the console of a mini program knows about where WeChat
// pushes its messages to (消息推送配置).
type CallbackConfig struct {
	AppID auth.AppID
	// Component, if set, is the third-party platform whose key encrypts.
	Component auth.AppID
	Token     string
	// EncodingAESKey makes encrypted messages the only ones that count. Without
	// it a message's signature does not cover what the message says.
	EncodingAESKey string
	Now            func() time.Time // default [time.Now]
}

// Callback reads what WeChat pushes for one mini program. It keeps nothing but which
// encrypted messages were handled.
type Callback struct {
	cfg     CallbackConfig
	key     []byte // nil in plain mode
	handled handled
}

// NewCallback checks the config; errors wrap [auth.ErrAppMisconfigured] and hold
// neither the token nor the key.
func NewCallback(cfg CallbackConfig) (*Callback, error) {
	if len(cfg.Token) < 3 || len(cfg.Token) > 32 || !alphanumeric(cfg.Token) {
		return nil, fmt.Errorf("%w: the callback's token is 3 to 32 letters and digits, as in WeChat's console", auth.ErrAppMisconfigured)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Callback{cfg: cfg}
	if cfg.EncodingAESKey == "" {
		return c, nil
	}
	if len(cfg.EncodingAESKey) != aesKeyChars || !alphanumeric(cfg.EncodingAESKey) {
		return nil, fmt.Errorf("%w: the callback's EncodingAESKey is %d letters and digits, as in WeChat's console", auth.ErrAppMisconfigured, aesKeyChars)
	}
	// Not strict: 43 random characters hold two bits more than the key.
	key, err := base64.RawStdEncoding.DecodeString(cfg.EncodingAESKey)
	if err != nil {
		return nil, fmt.Errorf("%w: the callback's EncodingAESKey is no base64", auth.ErrAppMisconfigured)
	}
	c.key = key
	return c, nil
}

// App is the mini program that the callback is for.
func (c *Callback) App() auth.AppID { return c.cfg.AppID }

func alphanumeric(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) < 0
}

// Echo is what to answer when the console checks the address: [auth.ErrForbidden]
// for whoever does not know the token.
func (c *Callback) Echo(query url.Values) (string, error) {
	echo, err := parameter(query, "echostr")
	if err != nil {
		return "", err
	}
	return echo, c.verify(query, "signature")
}

// Open checks a message and reads it. [auth.ErrForbidden]: WeChat did not send it
// for this app, or not now. [auth.ErrInvalidRequest]: it is no message.
func (c *Callback) Open(query url.Values, body []byte) (Push, error) {
	if len(body) > MaxCallbackBytes {
		return Push{}, fmt.Errorf("%w: a callback of %d bytes", auth.ErrInvalidRequest, len(body))
	}
	if c.key == nil {
		if err := c.verify(query, "signature"); err != nil {
			return Push{}, err
		}
		return c.read(body)
	}
	envelope, err := readMessage(body)
	if err != nil {
		return Push{}, err
	}
	if envelope.Encrypt == "" {
		return Push{}, fmt.Errorf("%w: a callback in the clear, where an EncodingAESKey is configured", auth.ErrForbidden)
	}
	if err := c.verify(query, "msg_signature", envelope.Encrypt); err != nil {
		return Push{}, err
	}
	plain, err := c.decrypt(envelope.Encrypt)
	if err != nil {
		return Push{}, err
	}
	push, err := c.read(plain)
	if err != nil {
		return Push{}, err
	}
	push.from, push.digest = c, sha256.Sum256([]byte(envelope.Encrypt))
	return push, nil
}

// verify checks the time of a callback and its signature: the SHA-1 of the token,
// the time, the nonce and what is signed with them, in order, joined. That is no
// MAC: where one value ends and the next begins is not signed. So they are held to
// their alphabets, and the time is digits alone.
func (c *Callback) verify(query url.Values, name string, signed ...string) error {
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
	if err != nil || !digits(stamp, 1, 12) {
		return fmt.Errorf("%w: the timestamp of a callback is no number", auth.ErrInvalidRequest)
	}
	parts := append([]string{c.cfg.Token, stamp, nonce}, signed...)
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // WeChat's choice
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(given)) != 1 {
		return fmt.Errorf("%w: the signature of a callback is wrong", auth.ErrForbidden)
	}
	if age := c.cfg.Now().Sub(time.Unix(seconds, 0)); age > callbackAge || age < -callbackAge {
		return fmt.Errorf("%w: callback timestamp is off by %v (limit %v)", auth.ErrForbidden, age, callbackAge)
	}
	return nil
}

// parameter is a query parameter that stands once, of visible characters.
func parameter(query url.Values, name string) (string, error) {
	values := query[name]
	if len(values) != 1 || !visibleASCII(values[0], maxParameterBytes) {
		return "", fmt.Errorf("%w: a callback needs one parameter %s", auth.ErrInvalidRequest, name)
	}
	return values[0], nil
}
