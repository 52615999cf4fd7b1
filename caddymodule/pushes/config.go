// Package pushes has the option forward of a callback, and the queues of the forwarded messages.
package pushes

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/token/keyring"
)

// Forward configures a service that gets messages that WeChat pushes.
type Forward struct {
	// The URL that messages are sent to as JSON, by POST. It is also the `aud` of their
	// assertion. https, or http on loopback and private addresses; a placeholder such as
	// `{env.X}` is allowed. At most 128 bytes. Required.
	URL string `json:"url"`

	// Which messages the service gets: names of events, such as `subscribe`, or `MsgType` of
	// other messages, such as `text`. Default: every message that no other forward names.
	Events []string `json:"events,omitempty"`

	// For service accounts (公众号), of kind official: the service's response is a passive reply
	// to the user. It is encrypted, signed and returned to WeChat if the service responds within
	// four seconds. Default: WeChat gets `success` at once.
	Reply bool `json:"reply,omitempty"`

	url string // resolved
	to  string // scheme and host of url
}

// maxForwards bounds the services of an app: each has a queue and goroutines.
const maxForwards = 16

// Parse reads the arguments of one forward:
//
//	forward <url> [<event>...] [reply]
func Parse(d *caddyfile.Dispenser, into *[]*Forward) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("write forward <url> [<event>...] [reply]")
	}
	if err := directive.RefuseEmpty(d, args); err != nil {
		return err
	}
	f := &Forward{URL: args[0], Events: args[1:]}
	if last := len(f.Events) - 1; last >= 0 && f.Events[last] == replyOption {
		f.Events, f.Reply = f.Events[:last], true
	}
	*into = append(*into, f)
	if err := check(*into); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// replyOption is the last argument of a forward whose service replies. WeChat has no event with
// this name.
const replyOption = "reply"

// Replies reports whether a service of the forwards replies.
func Replies(forwards []*Forward) bool {
	return slices.ContainsFunc(forwards, func(f *Forward) bool { return f.Reply })
}

// name matches names of WeChat's events and message types.
var name = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

var (
	errURL      = errors.New("must be a URL such as https://orders.example.com/push, without user and password")
	errLong     = fmt.Errorf("has more than %d bytes", keyring.MaxNameBytes)
	errCatchAll = errors.New("two forwards without events; only one can get the messages that no other forward names")
	errReply    = errors.New("reply is not an event; write it once, as the last argument of forward")
	errMany     = fmt.Errorf("more than %d forwards", maxForwards)
	errSecret   = errors.New("forward needs signatures that the service can check: alg HS256 is a shared secret, with which it could also sign; set alg to EdDSA or ES256")
)

// check refuses events that two forwards name, and names that no event can have.
func check(forwards []*Forward) error {
	if len(forwards) > maxForwards {
		return errMany
	}
	seen, all := make(map[string]bool), false
	for _, f := range forwards {
		if all && len(f.Events) == 0 {
			return errCatchAll
		}
		all = all || len(f.Events) == 0
		for _, event := range f.Events {
			if !name.MatchString(event) {
				return fmt.Errorf("event %q: expected letters, digits and underscores, as in WeChat's documentation", event)
			}
			if event == replyOption {
				return errReply
			}
			if seen[event] {
				return fmt.Errorf("duplicate event %s", event)
			}
			seen[event] = true
		}
	}
	return nil
}
