// Package metadata is the authorization server metadata of a gateway (RFC 8414), for
// verifiers of tokens that start from the issuer.
package metadata

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/wxgate/wxgate/internal/edge"
)

// wellKnown is inserted between the host and the path of an issuer (RFC 8414 section 3).
const wellKnown = "/.well-known/oauth-authorization-server"

// Metadata is the document of one issuer.
type Metadata struct {
	Host     string // of the issuer, without a port
	Path     string // where the document is served
	Document []byte // JSON
}

// document has no token_endpoint, since the call refresh is not one: it accepts JSON without a
// grant_type. A member without values is omitted (section 3.2).
type document struct {
	Issuer                string   `json:"issuer"`
	JWKSURI               string   `json:"jwks_uri"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	RevocationAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`
}

// New returns the metadata of an issuer, which must be an https URL without a query or a
// fragment (section 2). keySet and revocation are paths of the issuer's host.
func New(issuer, keySet, revocation string) (*Metadata, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(issuer, "?#") {
		return nil, fmt.Errorf("metadata: the issuer must be an https URL without a query or fragment, not %q; set token issuer to the gateway's public URL", issuer)
	}
	path := strings.TrimSuffix(u.Path, "/")
	if path != "" && (!edge.CanonicalPath(path) || strings.Contains(issuer, "%")) {
		return nil, fmt.Errorf("metadata: the path of the issuer %q must be a plain path such as /login", issuer)
	}
	origin := "https://" + u.Host
	text, err := json.Marshal(document{
		Issuer:             issuer,
		JWKSURI:            origin + keySet,
		RevocationEndpoint: origin + revocation,
		// Without this member, clients assume client_secret_basic.
		RevocationAuthMethods: []string{"none"},
	})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return &Metadata{Host: u.Hostname(), Path: wellKnown + path, Document: text}, nil
}
