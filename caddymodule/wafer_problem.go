package caddymodule

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/problem"
)

// waferInvalidSession has wafer-client-sdk log in again and repeat the request;
// any other word has it give up.
const waferInvalidSession = "ERR_INVALID_SESSION"

// waferLoginAgain is the code that has wafer2-client-sdk log in again and repeat
// the request. Version 2.1.0 does so at status 401 too; those before it, which
// many mini programs carry a copy of, at nothing else.
const waferLoginAgain = -1

// waferMembers extend a problem for the SDKs. The magic member makes
// wafer-client-sdk drop its session, so it stands in a 401 and at the login, and
// not beside a store that is down for a moment.
type waferMembers struct {
	Magic   int    `json:"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A"` // 1
	Error   string `json:"error"`
	Message string `json:"message,omitzero"`
}

// forWafer extends a refusal with what the SDKs act on, in the one body that all of
// them and other clients read. Only a request with a skey is certain to come from an
// SDK: there the code is a number, where other clients read a word.
func (c *WaferCompat) forWafer(err error, b bearer, login bool) error {
	if c == nil || err == nil {
		return err
	}
	p := *problem.Of(err) // a copy: requests share problems
	members := waferMembers{Magic: 1, Error: waferInvalidSession, Message: p.Detail}
	switch {
	case login:
		members.Error = p.Code
	case p.Status != http.StatusUnauthorized:
		return err
	case b.wafer != nil && b.wafer.skey != "":
		p.CodeNumber = waferLoginAgain
	}
	if p.Extension, err = json.Marshal(members); err != nil {
		return err
	}
	return &p
}
