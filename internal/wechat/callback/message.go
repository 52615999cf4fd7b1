package callback

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// Event names what WeChat pushed: a closed set, fit for a metric's label.
type Event string

// After Revoked and Cancelled, data of the user must be deleted. Other is any other
// message.
const (
	Revoked   Event = "user_authorization_revoke"
	Cancelled Event = "user_authorization_cancellation"
	Other     Event = "other"
)

// Push is one message from WeChat. User is empty if the message is not about a user.
type Push struct {
	Event Event
	User  auth.User

	from   *Receiver // of an encrypted message; nil otherwise
	digest [sha256.Size]byte
}

// message has the fields that are read of a message, in either format.
type message struct {
	Encrypt string `xml:"Encrypt"`
	Type    string `xml:"MsgType"`
	Event   string `xml:"Event"`
	OpenID  string `xml:"OpenID"`
	AppID   string `xml:"AppID"`
}

// read reads a body whose signature was verified.
func (c *Receiver) read(body []byte) (Push, error) {
	m, err := readMessage(body)
	if err != nil {
		return Push{}, err
	}
	if m.AppID != "" && auth.AppID(m.AppID) != c.cfg.AppID {
		return Push{}, fmt.Errorf("%w: the message is about another app", auth.ErrForbidden)
	}
	if m.Encrypt != "" && m.Type == "" {
		return Push{}, fmt.Errorf("%w: the message is encrypted and no EncodingAESKey is configured", auth.ErrAppMisconfigured)
	}
	event := Event(m.Event)
	if !strings.EqualFold(m.Type, "event") || event != Revoked && event != Cancelled {
		return Push{Event: Other}, nil
	}
	if m.OpenID == "" { // the user gave data to a plugin, which has another ID for the user
		return Push{Event: event}, nil
	}
	if !auth.ValidID(m.OpenID) {
		return Push{}, fmt.Errorf("%w: the message has no valid openid", auth.ErrInvalidRequest)
	}
	return Push{Event: event, User: auth.User{App: c.cfg.AppID, OpenID: auth.OpenID(m.OpenID)}}, nil
}

// readMessage reads JSON or XML; the console has an option for it.
func readMessage(body []byte) (message, error) {
	var m message
	var err error
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0:
		err = errNoMessage
	case trimmed[0] == '<':
		err = m.readXML(trimmed)
	default:
		err = m.readJSON(trimmed)
	}
	return m, err
}

var errNoMessage = fmt.Errorf("%w: the callback's body is neither a JSON object nor an <xml>", auth.ErrInvalidRequest)

func (m *message) readXML(body []byte) error {
	var root struct {
		XMLName xml.Name `xml:"xml"`
		// Slices, to detect a duplicate element.
		Encrypt, MsgType, Event, OpenID, AppID []string
	}
	if xml.Unmarshal(body, &root) != nil {
		return errNoMessage
	}
	for _, f := range []struct {
		into   *string
		values []string
	}{{&m.Encrypt, root.Encrypt}, {&m.Type, root.MsgType}, {&m.Event, root.Event}, {&m.OpenID, root.OpenID}, {&m.AppID, root.AppID}} {
		if len(f.values) > 1 {
			return errNoMessage
		}
		for _, value := range f.values {
			*f.into = strings.TrimSpace(value)
		}
	}
	return nil
}

// readJSON trims spaces from the names of members: WeChat's sample of these events
// has " OpenID" and " AppID". Text in GBK is accepted too.
func (m *message) readJSON(body []byte) error {
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members, jsontext.AllowInvalidUTF8(true)) != nil {
		return errNoMessage
	}
	fields := map[string]*string{"Encrypt": &m.Encrypt, "MsgType": &m.Type, "Event": &m.Event, "OpenID": &m.OpenID, "AppID": &m.AppID}
	for name, value := range members {
		name = strings.TrimSpace(name)
		into, ok := fields[name]
		if !ok {
			continue
		}
		if *into != "" || json.Unmarshal(value, into, jsontext.AllowInvalidUTF8(true)) != nil {
			return errNoMessage
		}
	}
	return nil
}
