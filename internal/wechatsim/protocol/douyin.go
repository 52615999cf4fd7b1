package protocol

import (
	"crypto/rand"
	"encoding/json"
)

// The error codes of Douyin, from the pages on code2Session and getAccessToken.
const (
	ErrDouyinMissing   = 40014
	ErrDouyinApp       = 40015
	ErrDouyinSecret    = 40017
	ErrDouyinCode      = 40018
	ErrDouyinAnonymous = 40019
	ErrDouyinGrant     = 40020
)

var douyinMessages = map[int]string{
	ErrBusy:            "system error",
	ErrDouyinMissing:   "missing params",
	ErrDouyinApp:       "bad appid",
	ErrDouyinSecret:    "bad secret",
	ErrDouyinCode:      "bad code",
	ErrDouyinAnonymous: "bad anonymous code",
	ErrDouyinGrant:     "grant_type is not client_credential",
}

func douyinRefusal(code json.RawMessage, message, _ string) any {
	return struct {
		ErrNo   json.RawMessage `json:"err_no"`
		ErrTips string          `json:"err_tips"`
		LogID   string          `json:"log_id"`
		Data    any             `json:"data"`
	}{code, message, rand.Text(), nil}
}

// DouyinSuccess is a successful response with its result as data.
func DouyinSuccess(data any) Response {
	return Success(struct {
		ErrNo   int    `json:"err_no"`
		ErrTips string `json:"err_tips"`
		LogID   string `json:"log_id"`
		Data    any    `json:"data"`
	}{0, "success", rand.Text(), data})
}

// Douyin refuses as Douyin does.
var Douyin = &Host{Busy: ErrBusy, messages: douyinMessages, refusal: douyinRefusal}
