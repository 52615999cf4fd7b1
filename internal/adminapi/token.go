package adminapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/problem"
)

// TokenRequest has an access token.
type TokenRequest struct {
	Token string `json:"token" jsonschema:"an access token, without Bearer"`
}

// TokenReport is a decoded access token, and whether the gateway admits it.
type TokenReport struct {
	Header   jsontext.Value `json:"header"`
	Claims   jsontext.Value `json:"claims"`
	Checked  bool           `json:"checked" jsonschema:"false if no gateway was asked"`
	Admitted bool           `json:"admitted" jsonschema:"its signature, times and session are valid now; a site may require more"`
	Reason   string         `json:"reason,omitzero" jsonschema:"why it is not admitted: an error code"`
	Cause    string         `json:"cause,omitzero" jsonschema:"the same, in words"`
}

// ErrNotAToken means that a string is not a JWT.
var ErrNotAToken = errors.New("not an access token: expected three parts of base64url with a JSON header and claims")

// InspectToken reports whether the gateway admits a token, and why not.
var InspectToken = post("token/inspect", "decode an access token, and say whether the gateway admits it; token", audited, inspectToken)

// Subject implements [Subject]. It returns nothing for an invalid token, whose claims are not
// trusted.
func (r TokenRequest) Subject(rt *gateway.Runtime) []zap.Field {
	id, err := rt.Tokens.Verify(r.Token)
	if err != nil {
		return nil
	}
	return []zap.Field{zap.String("app", string(id.App)), zap.String("user_id", id.Pseudonym)}
}

func inspectToken(_ context.Context, rt *gateway.Runtime, in TokenRequest) (TokenReport, error) {
	report, err := DecodeToken(in.Token)
	if err != nil {
		return TokenReport{}, fmt.Errorf("%w: %w", auth.ErrInvalidRequest, err)
	}
	report.Checked = true
	if _, err := rt.Service.Authenticate(in.Token); err != nil {
		report.Reason, report.Cause = problem.Of(err).Code, err.Error()
		return report, nil
	}
	report.Admitted = true
	return report, nil
}

// DecodeToken decodes a token without verifying it.
func DecodeToken(raw string) (TokenReport, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return TokenReport{}, ErrNotAToken
	}
	header, err := decodePart(parts[0])
	if err != nil {
		return TokenReport{}, err
	}
	claims, err := decodePart(parts[1])
	return TokenReport{Header: header, Claims: claims}, err
}

func decodePart(part string) (jsontext.Value, error) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, ErrNotAToken
	}
	if value := jsontext.Value(text); value.IsValid() && value.Kind() == '{' {
		return value, nil
	}
	return nil, ErrNotAToken
}
