package callback

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// ErrReply means that WeChat would not accept the reply of a service.
var ErrReply = errors.New("the reply is neither a JSON object nor an <xml>")

// Reply is the response to an encrypted push, as WeChat expects it.
type Reply struct {
	ContentType string
	Body        []byte
}

// envelope is the format of a push, which its reply must also have.
type envelope struct {
	receiver auth.AppID // the app, or its third-party platform
	nonce    string
	isXML    bool
}

// salt returns the 16 characters before the length, with 80 random bits. The IV is the same for
// all messages of a key, and WeChat's own code uses readable characters.
func salt() string { return rand.Text()[:saltBytes] }

// Reply encrypts and signs the reply of a service to the message, which may be JSON or XML. It
// is converted to the format in which WeChat sent the message. The error is [ErrReply], also
// for a reply to a message that was not encrypted.
func (p Push) Reply(text []byte) (Reply, error) {
	if p.from == nil {
		return Reply{}, fmt.Errorf("%w: the message was not encrypted", ErrReply)
	}
	plain, err := p.format(text)
	if err != nil {
		return Reply{}, err
	}
	return p.seal(salt(), strconv.FormatInt(p.from.cfg.Now().Unix(), 10), plain)
}

// format checks a reply, and converts it to the format in which WeChat sent the message.
func (p Push) format(text []byte) ([]byte, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrReply, len(text))
	}
	object, isXML, err := readMessage(text)
	if err != nil {
		return nil, ErrReply
	}
	switch {
	case isXML == p.isXML:
		return bytes.TrimSpace(text), nil
	case isXML:
		return object, nil
	default:
		return toXML(object)
	}
}

// seal puts an encrypted and signed text into its envelope (消息推送, step 7).
func (p Push) seal(salt, stamp string, plain []byte) (Reply, error) {
	if !alphanumeric(p.nonce) { // a nonce must not end the CDATA section
		return Reply{}, fmt.Errorf("%w: the nonce of the message is not only letters and digits", ErrReply)
	}
	encrypted, err := p.from.encrypt(salt, plain, p.receiver)
	if err != nil {
		return Reply{}, err
	}
	signature := p.from.sign(stamp, p.nonce, encrypted)
	if p.isXML {
		return Reply{ContentType: "text/xml; charset=utf-8", Body: fmt.Appendf(nil, "<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature>"+
			"<TimeStamp>%s</TimeStamp><Nonce><![CDATA[%s]]></Nonce></xml>", encrypted, signature, stamp, p.nonce)}, nil
	}
	return Reply{ContentType: "application/json; charset=utf-8", Body: fmt.Appendf(nil,
		`{"Encrypt":"%s","MsgSignature":"%s","TimeStamp":%s,"Nonce":"%s"}`, encrypted, signature, stamp, p.nonce)}, nil
}

// toXML converts an object to XML: strings are CDATA, and the elements of an array are <item>,
// as in the Articles of a passive reply. It returns [ErrReply] for booleans, null, and names or
// characters that XML does not allow.
func toXML(object jsontext.Value) ([]byte, error) {
	var out bytes.Buffer
	if err := appendXML(&out, "xml", object); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func appendXML(out *bytes.Buffer, name string, value jsontext.Value) error {
	if !elementName.MatchString(name) {
		return fmt.Errorf("%w: a member has a name that XML does not allow", ErrReply)
	}
	out.WriteString("<" + name + ">")
	in := jsontext.NewDecoder(bytes.NewReader(value))
	switch value.Kind() {
	case '{', '[':
		if err := appendChildren(out, in); err != nil {
			return err
		}
	case '"':
		var s string
		if json.Unmarshal(value, &s) != nil || strings.ContainsFunc(s, notXML) {
			return fmt.Errorf("%w: a text has a character that XML does not allow", ErrReply)
		}
		out.WriteString("<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>")
	case '0':
		out.Write(value)
	default:
		return fmt.Errorf("%w: a member is a boolean or null", ErrReply)
	}
	out.WriteString("</" + name + ">")
	return nil
}

// appendChildren appends the members of an object, or the elements of an array.
func appendChildren(out *bytes.Buffer, in *jsontext.Decoder) error {
	open, err := in.ReadToken()
	if err != nil {
		return ErrReply
	}
	for name := itemName; in.PeekKind() != '}' && in.PeekKind() != ']'; {
		if open.Kind() == '{' {
			token, err := in.ReadToken()
			if err != nil {
				return ErrReply
			}
			name = token.String()
		}
		value, err := in.ReadValue()
		if err != nil {
			return ErrReply
		}
		if err := appendXML(out, name, value.Clone()); err != nil {
			return err
		}
	}
	return nil
}

// notXML reports whether XML does not allow the character (XML 1.0 section 2.2).
func notXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\uFFFE' || r == '\uFFFF'
}
