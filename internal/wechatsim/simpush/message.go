package simpush

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// ErrBadMessage means that a message cannot be pushed as it is asked for.
var ErrBadMessage = errors.New("bad message")

// account is the original ID (原始ID) of every app.
const account = "gh_870882ca4b1"

// A What is a message or an event to push.
type What struct {
	// Type is one of [Types]. Default: text.
	Type string
	// Value is what differs: the Content of a text, the SessionFrom of user_enter_tempsession,
	// the TemplateId of subscribe_msg_popup_event, the RevokeInfo of
	// user_authorization_revoke, the debug_str of debug_demo. Default: a sample.
	Value string
	// Message, if set, is pushed as it is, whatever Type and Value are. It must be in the
	// format of the app.
	Message string
}

// Types returns the messages and events that are known: those of mini programs, and subscribe,
// which service accounts get.
func Types() []string {
	return []string{
		"text", "user_enter_tempsession", "subscribe_msg_popup_event", "user_authorization_revoke",
		"user_authorization_cancellation", "user_info_modified", "subscribe", "debug_demo",
	}
}

// members are the members of a message, in order. A value is a string, a number or members; or
// a list of members.
type members []member

type member struct {
	name  string
	value any
}

// compose returns the text of a message about u, which is resolved, and its MsgId, which events
// do not have.
func compose(s *wechatsim.Sim, u wechatsim.User, what What, isXML bool) (text, id string, err error) {
	if what.Message != "" {
		return what.Message, "", nil
	}
	value := func(sample string) string {
		if what.Value == "" {
			return sample
		}
		return what.Value
	}
	head := func(kind string) members {
		return members{{"ToUserName", account}, {"FromUserName", u.OpenID}, {"CreateTime", json.Number(fmt.Sprint(s.Now().Unix()))}, {"MsgType", kind}}
	}
	event := append(head("event"), member{"Event", what.Type})
	switch what.Type {
	case "text":
		id = digits(17) //nolint:mnd // 64 bits, as long as the sample's
		return append(head("text"), member{"Content", value("hello")}, member{"MsgId", json.Number(id)}).render(isXML), id, nil
	case "user_enter_tempsession":
		event = append(event, member{"SessionFrom", value("wxapp")})
	case "subscribe_msg_popup_event":
		list := []members{{{"TemplateId", value("hD-ixGOhYmUfjOnI8MCzQMPshzGVeux_2vzyvQu7O68")}, {"SubscribeStatusString", "accept"}, {"PopupScene", "0"}}}
		event = append(event, popup(list, isXML))
	case "user_authorization_revoke", "user_authorization_cancellation", "user_info_modified":
		return withdrawn(s, u, what.Type, value("8"), isXML), "", nil
	case "subscribe":
		event = append(event, member{"EventKey", ""})
	case "debug_demo":
		event = append(event, member{"debug_str", value("hello world")})
	default:
		return "", "", fmt.Errorf("%w: unrecognized type %q; expected one of: %v", ErrBadMessage, what.Type, Types())
	}
	return event.render(isXML), "", nil
}

// popup is the list of subscribe_msg_popup_event, which has one level more in XML.
// https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/subscribe-message.html
func popup(list []members, isXML bool) member {
	if isXML {
		return member{"SubscribeMsgPopupEvent", members{{"List", list}}}
	}
	return member{"List", list}
}

// withdrawn is an event of the page on 授权用户信息变更. The sender is not the user, but WeChat's
// own account. In JSON, three names begin with a space, as in an older sample of that page.
func withdrawn(s *wechatsim.Sim, u wechatsim.User, event, revokeInfo string, isXML bool) string {
	space := " "
	if isXML {
		space = ""
	}
	return members{
		{"ToUserName", account}, {"FromUserName", "owAqB1v0ahK_Xlc7GshIDdf2yf7E"}, {"CreateTime", json.Number(fmt.Sprint(s.Now().Unix()))},
		{"MsgType", "event"}, {"Event", event}, {space + "OpenID", u.OpenID}, {space + "AppID", u.App}, {space + "RevokeInfo", revokeInfo},
	}.render(isXML)
}

// render writes a message in the format of the app.
func (m members) render(isXML bool) string {
	var out bytes.Buffer
	if isXML {
		m.writeXML(&out, "xml")
	} else {
		m.writeJSON(&out)
	}
	return out.String()
}

func (m members) writeXML(out *bytes.Buffer, name string) {
	fmt.Fprintf(out, "<%s>", name)
	for _, one := range m {
		switch value := one.value.(type) {
		case members:
			value.writeXML(out, one.name)
		case []members:
			for _, item := range value {
				item.writeXML(out, one.name)
			}
		case json.Number:
			fmt.Fprintf(out, "<%s>%s</%s>", one.name, value, one.name)
		default:
			text := strings.ReplaceAll(fmt.Sprint(value), "]]>", "]]]]><![CDATA[>")
			fmt.Fprintf(out, "<%s><![CDATA[%s]]></%s>", one.name, text, one.name)
		}
	}
	fmt.Fprintf(out, "</%s>", name)
}

func (m members) writeJSON(out *bytes.Buffer) {
	for i, one := range m {
		out.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(out, "%s:", protocol.JSON(one.name))
		switch value := one.value.(type) {
		case members:
			value.writeJSON(out)
		case []members:
			for j, item := range value {
				out.WriteByte("[,"[min(j, 1)])
				item.writeJSON(out)
			}
			out.WriteByte(']')
		default:
			out.Write(protocol.JSON(value))
		}
	}
	out.WriteByte('}')
}
