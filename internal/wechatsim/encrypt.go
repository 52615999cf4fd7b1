package wechatsim

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WeChat's data signature is SHA-1; it is not ours to choose
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/sealing"
)

// ErrBadIV means that an iv given is not base64 of 16 bytes.
var ErrBadIV = errors.New("bad iv")

// A Sealing says how a phone encrypts. The zero value is what phones do.
type Sealing struct {
	SessionKey string    // default: the user's current one
	IV         string    // base64 of 16 bytes; default: random
	AppID      string    // of the watermark; default: the user's app
	Timestamp  time.Time // of the watermark; default: the simulation's now
	Exact      bool      // EncryptJSON: add no watermark, encrypt the bytes given
}

// An Encrypted is what a phone hands to the page: encryptedData and iv, and,
// with a profile, its readable part and the signature over that.
type Encrypted struct {
	EncryptedData string `json:"encryptedData"`
	IV            string `json:"iv"`
	RawData       string `json:"rawData,omitempty"`
	Signature     string `json:"signature,omitempty"`
}

// EncryptPhone does what <button open-type="getPhoneNumber"> did before it
// gave codes: it encrypts the number under the user's session_key.
func (s *Sim) EncryptPhone(u User, p PhoneNumber, how Sealing) (Encrypted, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Encrypted{}, err
	}
	if p, err = s.phoneOf(key, p); err != nil {
		return Encrypted{}, err
	}
	sealed, err := s.seal(u, protocol.JSON(s.phoneData(key, p, how)), how)
	if err != nil {
		return Encrypted{}, err
	}
	sum := sha256.Sum256([]byte(sealed.EncryptedData)) // of the base64 text, as in the page's example
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	s.phones.Put(phoneRecord(key.app, hex.EncodeToString(sum[:])), now, now, now.Add(phoneRecordLife))
	return sealed, nil
}

// phoneRecordLife is how long WeChat knows which phone numbers it encrypted.
const phoneRecordLife = 3 * 24 * time.Hour

// phoneRecord is the key of an app's encrypted number.
func phoneRecord(app, hash string) string { return app + "\x00" + hash }

// checkEncryptedMessage is POST /wxa/business/checkencryptedmsg (检查加密信息). It knows what
// EncryptPhone encrypted in the last three days, and nothing else.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/basic-info/checkEncryptedData.html
func (s *Sim) checkEncryptedMessage(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	var in struct {
		Hash string `json:"encrypted_msg_hash"`
	}
	if code := protocol.Decode(c.body, &in); code != 0 {
		return failure(c.path, code)
	}
	if raw, err := hex.DecodeString(in.Hash); err != nil || len(raw) != sha256.Size {
		return failure(c.path, protocol.ErrArgument)
	}
	made, ok := s.phones.Get(phoneRecord(app, in.Hash))
	if !ok || s.Now().Sub(made) > phoneRecordLife {
		return failure(c.path, protocol.ErrNotEncrypted)
	}
	return protocol.Success(struct {
		ErrCode    int    `json:"errcode"`
		ErrMsg     string `json:"errmsg"`
		Vaild      bool   `json:"vaild"` // as WeChat spells it
		CreateTime int64  `json:"create_time"`
	}{0, "ok", true, made.Unix()})
}

// EncryptProfile does what wx.getUserProfile does: it encrypts the profile
// with openid and unionid, and signs its readable part.
func (s *Sim) EncryptProfile(u User, p Profile, how Sealing) (Encrypted, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Encrypted{}, err
	}
	var unionid string
	if err := s.change(u, func(rec *user) { unionid = rec.unionid }); err != nil {
		return Encrypted{}, err
	}
	if how.SessionKey == "" { // one key for both, even if a login comes between
		if how.SessionKey, err = s.SessionKey(u); err != nil {
			return Encrypted{}, err
		}
	}
	p = p.normal()
	sealed, err := s.seal(u, protocol.JSON(s.profileData(key, p, unionid, how)), how)
	if err != nil {
		return Encrypted{}, err
	}
	sealed.RawData = string(protocol.JSON(p))
	sealed.Signature = DataSignature(sealed.RawData, how.SessionKey)
	return sealed, nil
}

// EncryptJSON encrypts any data. A JSON object without a watermark gets one,
// unless how.Exact; with it, data need not even be JSON.
func (s *Sim) EncryptJSON(u User, data []byte, how Sealing) (Encrypted, error) {
	key, err := s.resolve(u)
	if err != nil {
		return Encrypted{}, err
	}
	if !how.Exact {
		if data, err = sealing.AddWatermark(data, protocol.JSON(s.watermark(key, how))); err != nil {
			return Encrypted{}, err
		}
	}
	return s.seal(u, data, how)
}

// watermark is the mark of now and key's app, or what how has instead.
func (s *Sim) watermark(key userKey, how Sealing) protocol.Watermark {
	app, _ := s.app(key.app) // resolved before
	mark := protocol.Watermark{Timestamp: s.Now().Unix(), AppID: app.MiniProgram}
	if how.AppID != "" {
		mark.AppID = how.AppID
	}
	if !how.Timestamp.IsZero() {
		mark.Timestamp = how.Timestamp.Unix()
	}
	return mark
}

// seal encrypts plain with the key and iv of how, or u's own and a random one.
func (s *Sim) seal(u User, plain []byte, how Sealing) (Encrypted, error) {
	sessionKey := how.SessionKey
	if sessionKey == "" {
		var err error
		if sessionKey, err = s.SessionKey(u); err != nil {
			return Encrypted{}, err
		}
	}
	who, err := s.resolve(u)
	if err != nil {
		return Encrypted{}, err
	}
	key, err := s.decodeSessionKey(who.app, sessionKey)
	if err != nil {
		return Encrypted{}, err
	}
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv) // never fails: see crypto/rand
	if how.IV != "" {
		if iv, err = base64.StdEncoding.DecodeString(how.IV); err != nil || len(iv) != aes.BlockSize {
			return Encrypted{}, fmt.Errorf("%w: %q", ErrBadIV, how.IV)
		}
	}
	sealed, err := sealing.CBC(key, iv, plain)
	if err != nil {
		return Encrypted{}, err
	}
	return Encrypted{
		EncryptedData: base64.StdEncoding.EncodeToString(sealed),
		IV:            base64.StdEncoding.EncodeToString(iv),
	}, nil
}

// DataSignature is the signature a phone puts beside rawData:
// hex(sha1(rawData + session_key)), the key as its base64 string.
func DataSignature(rawData, sessionKey string) string {
	sum := sha1.Sum([]byte(rawData + sessionKey)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}
