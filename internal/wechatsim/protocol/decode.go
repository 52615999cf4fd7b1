package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Beijing is the time zone of WeChat's days.
var Beijing = time.FixedZone("CST", 8*60*60)

// Decode reads the JSON body of a call into v and returns 0, or the errcode with which WeChat
// refuses it: a form, a wrong type, anything after the object.
func Decode(body []byte, v any) int {
	if len(bytes.TrimSpace(body)) == 0 {
		return ErrEmptyBody
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return ErrDataFormat
	}
	for name := range members {
		if name != strings.ToLower(name) {
			// encoding/json reads Code as code (https://github.com/golang/go/issues/14750);
			// WeChat does not.
			delete(members, name)
		}
	}
	if err := json.Unmarshal(JSON(members), v); err != nil {
		return ErrDataFormat
	}
	return 0
}
