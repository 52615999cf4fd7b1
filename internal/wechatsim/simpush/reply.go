package simpush

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim/sealing"
)

// ErrBadReply means that WeChat would not accept a reply: the user of a service account sees
// that the account is out of order (该公众号提供的服务出现故障).
var ErrBadReply = errors.New("bad reply")

// sealedReply is the envelope of an encrypted reply.
type sealedReply struct {
	Encrypt      string      `xml:"Encrypt"`
	MsgSignature string      `xml:"MsgSignature"`
	TimeStamp    json.Number `xml:"TimeStamp"`
	Nonce        string      `xml:"Nonce"`
}

// passiveReply has what every passive reply needs (被动回复用户消息).
type passiveReply struct {
	ToUserName, FromUserName, MsgType string
}

// OpenReply verifies the response to a message that nonce was sent with, and decrypts it. It
// returns "" for an acknowledgment, which is empty or "success". The errors are [ErrBadReply].
func OpenReply(body, nonce string, to Target) (string, error) {
	if trimmed := strings.TrimSpace(body); trimmed == "" || trimmed == "success" {
		return "", nil
	}
	if to.EncodingAESKey == "" {
		return body, nil
	}
	var in sealedReply
	if err := unmarshal(body, to.XML, &in); err != nil {
		return "", err
	}
	if in.MsgSignature != Signature(to.Token, in.TimeStamp.String(), in.Nonce, in.Encrypt) {
		return "", fmt.Errorf("%w: the signature is wrong", ErrBadReply)
	}
	if in.Nonce != nonce {
		return "", fmt.Errorf("%w: the nonce is not that of the message", ErrBadReply)
	}
	receiver, text, err := sealing.OpenPush(to.EncodingAESKey, in.Encrypt)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadReply, err)
	}
	if receiver != to.Receiver {
		return "", fmt.Errorf("%w: it is encrypted for %q, not for %q", ErrBadReply, receiver, to.Receiver)
	}
	return string(text), nil
}

// checkReply returns an error unless text is a passive reply to openid.
func checkReply(text, openid string, isXML bool) error {
	var in passiveReply
	if err := unmarshal(text, isXML, &in); err != nil {
		return err
	}
	switch {
	case in.ToUserName != openid:
		return fmt.Errorf("%w: ToUserName is not the openid of the user", ErrBadReply)
	case in.FromUserName != account:
		return fmt.Errorf("%w: FromUserName is not the ToUserName of the message", ErrBadReply)
	case in.MsgType == "":
		return fmt.Errorf("%w: MsgType is missing", ErrBadReply)
	}
	return nil
}

// unmarshal reads a reply in the format of the app.
func unmarshal(text string, isXML bool, into any) error {
	if isXML {
		if err := xml.Unmarshal([]byte(text), into); err != nil {
			return fmt.Errorf("%w: not XML: %w", ErrBadReply, err)
		}
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%w: not JSON: %w", ErrBadReply, err)
	}
	return nil
}
