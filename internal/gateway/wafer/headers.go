// Package wafer reads the requests of the client SDKs of Tencent Wafer, wafer-client-sdk and
// wafer2-client-sdk, and adds the fields that they need to refusals. The original server SDK is
// abandoned.
package wafer

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

// The headers that the SDKs send, in canonical form.
const (
	headerCode = "X-Wx-Code"
	headerData = "X-Wx-Encrypted-Data"
	headerIV   = "X-Wx-Iv"
	headerID   = "X-Wx-Id"
	headerSkey = "X-Wx-Skey"
)

// Headers are the values of the SDKs' headers in a request. The nil *Headers has none.
type Headers struct {
	Code, Data, IV string // for a login
	ID, Skey       string // for any other call; the skey is the access token
	Err            error  // one of them was sent twice
}

// CheckLogin returns an error if the SDKs cannot log in at a path.
func CheckLogin(path string) error {
	if !edge.CanonicalPath(path) || path == "/" || strings.ContainsAny(path, "*%") {
		return fmt.Errorf("compat wafer %q must be a plain path such as /weapp/login", path)
	}
	return nil
}

// Take reads the SDKs' headers and removes them. It returns nil if there are none. Only
// the spelling that the SDKs send is read; other spellings that a framework accepts are
// removed with all other identity headers.
func Take(header http.Header) *Headers {
	var taken *Headers
	for _, name := range [...]string{headerCode, headerData, headerIV, headerID, headerSkey} {
		values, ok := header[name]
		if !ok {
			continue
		}
		delete(header, name)
		if taken == nil {
			taken = new(Headers)
		}
		if len(values) != 1 {
			taken.Err = problem.BadRequest("Send each X-WX header once.")
			continue
		}
		taken.set(name, values[0])
	}
	return taken
}

func (h *Headers) set(name, value string) {
	switch name {
	case headerCode:
		h.Code = value
	case headerData:
		h.Data = value
	case headerIV:
		h.IV = value
	case headerID:
		h.ID = value
	case headerSkey:
		h.Skey = value
	}
}

// Join returns the token of a request: the skey, or a token from elsewhere, or the error of
// reading it. Two tokens are refused: otherwise the gateway could check one token and the
// upstream use the other. query is the query of the request, with its token.
func (h *Headers) Join(token string, err error, query string) (string, error) {
	switch {
	case h == nil || err != nil:
		return token, err
	case h.Err != nil:
		return "", h.Err
	case h.Skey == "":
		return token, nil
	case token != "", edge.HasQueryParameter(query, edge.QueryBearer), strings.ContainsAny(h.Skey, ", "):
		return "", edge.ErrTwoTokens
	}
	return h.Skey, nil
}

// Check refuses a skey that comes with the ID of another session. wafer-client-sdk stores both,
// and values of two different logins do not identify a user.
func (h *Headers) Check(id *auth.Identity) error {
	if h != nil && h.Skey != "" && h.ID != "" && h.ID != string(id.Session) {
		return fmt.Errorf("%w: X-WX-Id names another session than X-WX-Skey", auth.ErrInvalidToken)
	}
	return nil
}
