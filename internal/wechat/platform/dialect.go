// Package platform has the differences between WeChat and its sibling platforms: the requests
// and responses of a login and of an access token, and the meanings of the error codes. It
// makes no calls.
package platform

import (
	"errors"
	"net/url"
	"slices"

	"github.com/wxgate/wxgate/internal/auth"
)

// Dialect describes the server API of one platform. Everything that it does not
// describe is the same on all platforms.
type Dialect struct {
	// Host is the base URL of the API.
	Host string

	// LoginRequest is the request that spends a login code. token is the app's access
	// token if NeedsToken is set, and empty otherwise.
	LoginRequest  func(app App, code, token string) Request
	NeedsToken    bool
	LoginResponse func() LoginResponse

	// TokenRequest is the request for the app's access token.
	TokenRequest  func(app App) Request
	TokenResponse func() TokenResponse

	// KeyBytes are the valid sizes of a session key.
	KeyBytes []int
	// If Bare is set, open data may have no watermark, and a phone number no purePhoneNumber.
	Bare bool
	// Owner reads the openid from open data, if it is not the member openId. It
	// returns false if the data must be refused.
	Owner func(app App, plain []byte) (auth.OpenID, bool)

	// status reads the fields of every response: a code, 0 for success, and its message. It
	// returns an error if the body is not such a response.
	status func(body []byte) (code int, message string, err error)

	meanings     map[int]meaning
	callMeanings map[CallName]map[int]meaning // of codes with another meaning for one call
	busy         int                          // the code for an outage of the platform
	stale        []int                        // codes that refuse the access token, before the call had any effect
}

// App has the properties of a mini program that requests contain.
type App struct {
	ID     auth.AppID
	Secret string
}

// Request is a call to make. It is a POST if it has a Body or a Form, and otherwise
// a GET.
type Request struct {
	Name    CallName
	Path    string
	Query   url.Values
	Target  *url.URL   // replaces the platform's host, Path and Query
	Body    any        // sent as JSON
	Form    url.Values // sent as a form
	Secrets []string   // of Query and Body, including the user's openid: errors must not contain them
	// MaxBytes bounds the body of the response; 0 for the default, which is for JSON.
	MaxBytes int64
}

// LoginResponse is a platform's response to a login code. The caller checks what
// Result returns.
type LoginResponse interface {
	Result(app App) (auth.LoginResult, error)
}

// TokenResponse is a platform's response to a request for an access token.
type TokenResponse interface {
	Result() (token string, seconds int64)
}

// IsStale reports whether err is the platform's refusal of the access token, which means that
// the call had no effect.
func (d *Dialect) IsStale(err error) bool {
	refusal, ok := errors.AsType[*auth.PlatformError](err)
	return ok && slices.Contains(d.stale, refusal.Code)
}

// IsBusy reports whether err is an error code for an outage of the platform.
func (d *Dialect) IsBusy(err error) bool {
	refusal, ok := errors.AsType[*auth.PlatformError](err)
	return ok && refusal.Code == d.busy
}

// IsRefused reports whether a call certainly had no effect: it was not sent, or the platform
// refused it with an error code of the tables. "System busy" is no such code.
func (d *Dialect) IsRefused(err error) bool {
	refusal, ok := errors.AsType[*auth.PlatformError](err)
	return ok && refusal.Code != d.busy && !errors.Is(refusal, auth.ErrWeChatUnreadable)
}

// aes128Bytes is the size of an AES-128 key, which session keys are.
const aes128Bytes = 16
