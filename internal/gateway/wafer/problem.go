package wafer

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

// invalidSession makes wafer-client-sdk log in again and repeat the request. With any other
// value it gives up.
const invalidSession = "ERR_INVALID_SESSION"

// loginAgain is the code that makes wafer2-client-sdk log in again and repeat the request.
// Version 2.1.0 also does so at status 401; older versions, which many mini programs contain,
// do so only for this code.
const loginAgain = -1

// members extend a problem for the SDKs. The magic member makes wafer-client-sdk drop its
// session, so it is in a 401 and in responses to a login, but not in a 503.
type members struct {
	Magic   int    `json:"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A"` // 1
	Error   string `json:"error"`
	Message string `json:"message,omitzero"`
}

// Extend adds the fields that the SDKs need to a refusal, in one body for the SDKs and other
// clients. Only a request with a skey certainly comes from an SDK: its response has a number as
// the code, where other clients expect an error code.
func Extend(refusal *problem.Problem, h *Headers, login bool) error {
	p := *refusal // requests share problems
	m := members{Magic: 1, Error: invalidSession, Message: p.Text()}
	switch {
	case login:
		m.Error = p.Code
	case p.Status != http.StatusUnauthorized:
		return refusal
	case errors.Is(p.Cause, auth.ErrSessionReplaced):
		// Without the members, the SDKs report the error to the page. For wafer2-client-sdk the
		// status matters too. A silent login would end the session of the other device, which
		// would also log in again, and so on with each request.
		if h != nil && h.Skey != "" {
			p.Status = http.StatusForbidden
		}
		return &p
	case h != nil && h.Skey != "":
		p.CodeNumber = loginAgain
	}
	var err error
	if p.Extension, err = json.Marshal(m); err != nil {
		return err
	}
	return &p
}
