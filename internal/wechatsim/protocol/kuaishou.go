package protocol

import "encoding/json"

// The error codes of Kuaishou, from its table for oauth2.
const (
	ErrKuaishouParameter = 100200100
	ErrKuaishouApp       = 100200101
	ErrKuaishouGrant     = 100200104
	ErrKuaishouCode      = 100200105
	ErrKuaishouBusy      = 100200500
)

var kuaishouMessages = map[int]string{
	ErrKuaishouParameter: "invalid_request",
	ErrKuaishouApp:       "invalid_client",
	ErrKuaishouGrant:     "unsupported_grant_type",
	ErrKuaishouCode:      "invalid_code",
	ErrKuaishouBusy:      "server_error",
}

func kuaishouRefusal(code json.RawMessage, message, _ string) any {
	return struct {
		Result   json.RawMessage `json:"result"`
		Error    string          `json:"error"`
		ErrorMsg string          `json:"error_msg"`
	}{code, message, message}
}

// Kuaishou refuses as Kuaishou does.
var Kuaishou = &Host{Busy: ErrKuaishouBusy, messages: kuaishouMessages, refusal: kuaishouRefusal}
