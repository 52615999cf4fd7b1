// Package adminapi has the calls that operators make: the purpose of each, its request and its
// response. It contains no server: caddymodule/admin serves the calls on Caddy's admin API, and
// has the commands that make them.
//
// To add a call:
//
//   - Write its request and its response as structs with JSON tags. Fields whose names are not
//     clear also have jsonschema tags, which describe them in the OpenAPI document.
//   - Write a [Call] with get or post, in a file named after its noun (user.go). A call that
//     changes something or names a user is Audited, and its request implements [Subject], so that
//     the audit log names the user.
//   - Add it to [Routes]. `GET /wxgate/` and the OpenAPI document then list it.
//   - Add its command in a file of caddymodule/admin: run or runDone sends the call, and
//     prints the response as text or, with --json, as it is.
//   - TestAdminContract makes the call from its document. If it cannot, add a request to
//     adminExamples in caddymodule/admin_contract_test.go.
//   - Describe the command in docs/commands.md.
//
// A user is named in the body of a POST and never in a URL: Caddy logs the URLs of its admin
// API, and an openid in a log could be linked to a person.
package adminapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/go-json-experiment/json"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/gateway"
)

// Prefix is the path prefix of all calls.
const Prefix = "/wxgate/"

// None is the request of a call that needs none.
type None struct{}

// Call is one call: In is its request, Out its response, both as JSON.
type Call[In, Out any] struct {
	Method  string
	Path    string // with Prefix
	Purpose string // half a sentence, for GET /wxgate/ and the OpenAPI document
	Audited bool   // it changes something, or it names a user

	run func(context.Context, *gateway.Runtime, In) (Out, error)
}

// Subject is implemented by requests whose user, session or key the audit log names. The fields
// contain no openid and no unionid: `user_id` is from [token.Tokens.Pseudonym].
type Subject interface {
	Subject(*gateway.Runtime) []zap.Field
}

const (
	audited   = true
	unaudited = false
)

// get returns a call that reads, and names no user.
func get[Out any](path, purpose string, run func(context.Context, *gateway.Runtime) (Out, error)) Call[None, Out] {
	return Call[None, Out]{
		Method: http.MethodGet, Path: Prefix + path, Purpose: purpose,
		run: func(ctx context.Context, rt *gateway.Runtime, _ None) (Out, error) { return run(ctx, rt) },
	}
}

// post returns a call that changes something, or that has a request.
func post[In, Out any](path, purpose string, audit bool, run func(context.Context, *gateway.Runtime, In) (Out, error)) Call[In, Out] {
	return Call[In, Out]{Method: http.MethodPost, Path: Prefix + path, Purpose: purpose, Audited: audit, run: run}
}

// Route is a call without its types.
type Route struct {
	Method, Path, Purpose string
	Audited               bool
	Request, Response     reflect.Type // Request is that of None if the call needs none

	serve func(context.Context, *gateway.Runtime, []byte) (any, Subject, error)
}

func (c Call[In, Out]) route() Route {
	return Route{
		Method: c.Method, Path: c.Path, Purpose: c.Purpose, Audited: c.Audited,
		Request: reflect.TypeFor[In](), Response: reflect.TypeFor[Out](),
		serve: func(ctx context.Context, rt *gateway.Runtime, body []byte) (any, Subject, error) {
			var in In
			if len(body) > 0 {
				if err := json.Unmarshal(body, &in, json.RejectUnknownMembers(true)); err != nil {
					return nil, nil, badBody(err)
				}
			}
			subject, _ := any(in).(Subject) // nil if the request names nothing
			out, err := c.run(ctx, rt, in)
			return out, subject, err
		},
	}
}

// Routes returns all calls, in the order in which `GET /wxgate/` lists them.
func Routes() []Route {
	return []Route{
		ShowStatus.route(),
		ListKeys.route(),
		RotateKeys.route(),
		RetireKey.route(),
		ListSessions.route(),
		ShowSession.route(),
		EndSession.route(),
		ShowUser.route(),
		ShowPerson.route(),
		FindUser.route(),
		LogoutUser.route(),
		ExportUser.route(),
		EraseUser.route(),
		CheckSessionKey.route(),
		ResetSessionKey.route(),
		InspectToken.route(),
		MintToken.route(),
		ListEvents.route(),
		ResendEvents.route(),
	}
}
