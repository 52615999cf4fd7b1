package wechat

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

// PushEvent names what WeChat pushed: a closed set, fit for a metric's label.
type PushEvent string

// The events that oblige whoever keeps data of the user. PushOther is any other
// message.
const (
	PushRevoked   PushEvent = "user_authorization_revoke"
	PushCancelled PushEvent = "user_authorization_cancellation"
	PushOther     PushEvent = "other"
)

// Push is a message of WeChat's. User is empty where it is about none.
type Push struct {
	Event PushEvent
	User  auth.User

	from   *Callback // of an encrypted message; nil otherwise
	digest [sha256.Size]byte
}

// message is what we understand of a message, in either format.
type message struct {
	Encrypt string `xml:"Encrypt"`
	Type    string `xml:"MsgType"`
	Event   string `xml:"Event"`
	OpenID  string `xml:"OpenID"`
	AppID   string `xml:"AppID"`
}

// read is the message in a body whose signature was right.
func (c *Callback) read(body []byte) (Push, error) {
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
	event := PushEvent(m.Event)
	if !strings.EqualFold(m.Type, "event") || event != PushRevoked && event != PushCancelled {
		return Push{Event: PushOther}, nil
	}
	if m.OpenID == "" { // data that a plugin was given, which names its user otherwise
		return Push{Event: event}, nil
	}
	if !auth.ValidID(m.OpenID) {
		return Push{}, fmt.Errorf("%w: the message names no user", auth.ErrInvalidRequest)
	}
	return Push{Event: event, User: auth.User{App: c.cfg.AppID, OpenID: auth.OpenID(m.OpenID)}}, nil
}

// readMessage reads JSON or XML, which the console chooses between.
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
		// Lists, so that a duplicate element is seen.
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

// readJSON takes a space off the members' names: WeChat's own sample of these
// events has " OpenID" and " AppID".
func (m *message) readJSON(body []byte) error {
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members, tolerant) != nil {
		return errNoMessage
	}
	fields := map[string]*string{"Encrypt": &m.Encrypt, "MsgType": &m.Type, "Event": &m.Event, "OpenID": &m.OpenID, "AppID": &m.AppID}
	for name, value := range members {
		name = strings.TrimSpace(name)
		into, ok := fields[name]
		if !ok {
			continue
		}
		if *into != "" || json.Unmarshal(value, into, tolerant) != nil {
			return errNoMessage
		}
	}
	return nil
}
