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

// Push is one message from WeChat.
type Push struct {
	Event Event
	User  auth.User // whose data must be deleted; empty for any other message

	// What the message is to a service that it is forwarded to. The strings are WeChat's.
	App     auth.AppID   // the app that it is for
	From    auth.OpenID  // the user that it is from or about; empty without a valid one
	UnionID auth.UnionID // of From, if the message has it
	MsgType string       // text, image, event …
	Name    string       // of an event; empty for another message
	MsgID   string       // of a message; events have none
	Message []byte       // the plaintext, as JSON; nil of a message in XML

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
	From    string `xml:"FromUserName"`
	UnionID string `xml:"UnionID"`
	MsgID   string `xml:"MsgId"`
	json    []byte // the body, if it is JSON
}

// push returns what the message is to a service.
func (m *message) push(app auth.AppID) Push {
	p := Push{Event: Other, App: app, MsgType: m.Type, Name: m.Event, MsgID: m.MsgID, Message: m.json}
	// FromUserName is the user of a message, but in events about an authorization it is
	// another ID, and OpenID is the user.
	for _, id := range []string{m.From, m.OpenID} {
		if auth.ValidID(id) {
			p.From = auth.OpenID(id)
		}
	}
	if auth.ValidID(m.UnionID) {
		p.UnionID = auth.UnionID(m.UnionID)
	}
	return p
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
	push, event := m.push(c.cfg.AppID), Event(m.Event)
	if !strings.EqualFold(m.Type, "event") || event != Revoked && event != Cancelled {
		return push, nil
	}
	push.Event = event
	if m.OpenID == "" { // the user gave data to a plugin, which has another ID for the user
		return push, nil
	}
	if !auth.ValidID(m.OpenID) {
		return Push{}, fmt.Errorf("%w: the message has no valid openid", auth.ErrInvalidRequest)
	}
	push.User = auth.User{App: c.cfg.AppID, OpenID: auth.OpenID(m.OpenID)}
	return push, nil
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
		Encrypt, MsgType, Event, OpenID, AppID, FromUserName, UnionID []string
		MsgID                                                         []string `xml:"MsgId"`
	}
	if xml.Unmarshal(body, &root) != nil {
		return errNoMessage
	}
	for _, f := range []struct {
		into   *string
		values []string
	}{{&m.Encrypt, root.Encrypt}, {&m.Type, root.MsgType}, {&m.Event, root.Event}, {&m.OpenID, root.OpenID}, {&m.AppID, root.AppID},
		{&m.From, root.FromUserName}, {&m.UnionID, root.UnionID}, {&m.MsgID, root.MsgID}} {
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
	m.json = body
	fields := map[string]*string{
		"Encrypt": &m.Encrypt, "MsgType": &m.Type, "Event": &m.Event, "OpenID": &m.OpenID, "AppID": &m.AppID,
		"FromUserName": &m.From, "UnionID": &m.UnionID, "MsgId": &m.MsgID,
	}
	for name, value := range members {
		name = strings.TrimSpace(name)
		into, ok := fields[name]
		if !ok {
			continue
		}
		if name == "MsgId" && value.Kind() == '0' {
			m.MsgID = string(value) // more digits than a float has
			continue
		}
		if *into != "" || json.Unmarshal(value, into, jsontext.AllowInvalidUTF8(true)) != nil {
			return errNoMessage
		}
	}
	return nil
}
