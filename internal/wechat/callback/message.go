package callback

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
)

// Event is the kind of message that WeChat pushed: a closed set, suitable as a metric label.
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
	User  auth.User // the user whose data must be deleted; empty for any other message
	Ends  Ends      // which data of User is deleted

	// The fields for a service to which the message is forwarded. The strings are WeChat's.
	App     auth.AppID   // the app that it is for
	From    auth.OpenID  // the user that it is from or about; empty without a valid one
	UnionID auth.UnionID // of From, if the message has it
	MsgType string       // text, image, event …
	Name    string       // of an event; empty for another message
	MsgID   string       // of a message; events have none
	// Message is one JSON object in Cloud Hosting's shape: no duplicate members, no space
	// around tokens or names, numbers with all of their digits.
	Message []byte

	from   *Receiver // of an encrypted message; nil otherwise
	digest [sha256.Size]byte
	envelope
}

// fields are the members of a message that the gateway reads. WeChat sends MsgId and RevokeInfo
// as strings and as numbers.
type fields struct {
	Encrypt, MsgType, Event, OpenID, AppID, FromUserName, UnionID, MsgID, RevokeInfo string
}

// read reads a body whose signature was verified.
func (c *Receiver) read(body []byte) (Push, error) {
	object, _, err := readMessage(body)
	if err != nil {
		return Push{}, err
	}
	f, err := fieldsOf(object)
	if err != nil {
		return Push{}, err
	}
	if f.AppID != "" && auth.AppID(f.AppID) != c.cfg.AppID {
		return Push{}, fmt.Errorf("%w: the message is about another app", auth.ErrForbidden)
	}
	if f.Encrypt != "" && f.MsgType == "" {
		return Push{}, fmt.Errorf("%w: the message is encrypted and no EncodingAESKey is configured", auth.ErrAppMisconfigured)
	}
	push, event := f.push(c.cfg.AppID), Event(f.Event)
	push.Message = object
	if !strings.EqualFold(f.MsgType, "event") || event != Revoked && event != Cancelled {
		return push, nil
	}
	push.Event = event
	if f.OpenID == "" { // the user gave data to a plugin, which has another ID for the user
		return push, nil
	}
	if !auth.ValidID(f.OpenID) {
		return Push{}, fmt.Errorf("%w: the message has no valid openid", auth.ErrInvalidRequest)
	}
	push.User = auth.User{App: c.cfg.AppID, OpenID: auth.OpenID(f.OpenID)}
	push.Ends = ends(event, f.RevokeInfo)
	return push, nil
}

// push returns the message with the fields for a service.
func (f *fields) push(app auth.AppID) Push {
	p := Push{Event: Other, App: app, MsgType: f.MsgType, Name: f.Event, MsgID: f.MsgID}
	// FromUserName is the user of a message. In events about an authorization it is another ID,
	// and OpenID is the user.
	for _, id := range []string{f.FromUserName, f.OpenID} {
		if auth.ValidID(id) {
			p.From = auth.OpenID(id)
		}
	}
	if auth.ValidID(f.UnionID) {
		p.UnionID = auth.UnionID(f.UnionID)
	}
	return p
}

// readMessage reads JSON or XML; the console has an option for it.
func readMessage(body []byte) (object jsontext.Value, isXML bool, err error) {
	trimmed := bytes.TrimSpace(body)
	if bytes.HasPrefix(trimmed, []byte("<")) {
		object, err = plainXML(trimmed)
		return object, true, err
	}
	object, err = plainJSON(trimmed)
	return object, false, err
}

var errNoMessage = fmt.Errorf("%w: the callback's body is neither a JSON object nor an <xml>", auth.ErrInvalidRequest)

// fieldsOf returns the fields of an object that readMessage returned.
func fieldsOf(object jsontext.Value) (fields, error) {
	all, err := members(object)
	if err != nil {
		return fields{}, err
	}
	var f fields
	for name, into := range map[string]*string{
		"Encrypt": &f.Encrypt, "MsgType": &f.MsgType, "Event": &f.Event, "OpenID": &f.OpenID, "AppID": &f.AppID,
		"FromUserName": &f.FromUserName, "UnionID": &f.UnionID,
	} {
		if *into, err = text(all[name]); err != nil {
			return fields{}, err
		}
	}
	for name, into := range map[string]*string{"MsgId": &f.MsgID, "RevokeInfo": &f.RevokeInfo} {
		if *into, err = textOrNumber(all[name]); err != nil {
			return fields{}, err
		}
	}
	return f, nil
}
