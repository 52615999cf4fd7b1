package caddymodule_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	oidcclient "github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// newVerifier finds the keys of an issuer.
func newVerifier(ctx context.Context, c *http.Client, issuer string) (*op.AccessTokenVerifier, error) {
	metadata, err := oidcclient.Discover(ctx, issuer, c, issuer+"/.well-known/oauth-authorization-server")
	if err != nil {
		return nil, err
	}
	keys := rp.NewRemoteKeySet(c, metadata.JwksURI)
	return op.NewAccessTokenVerifier(issuer, keys, op.WithSupportedAccessTokenSigningAlgorithms("EdDSA")), nil
}

// verifyToken returns the openid of a token for this audience.
func verifyToken(ctx context.Context, verifier *op.AccessTokenVerifier, token, audience string) (string, error) {
	claims, err := op.VerifyAccessToken[*oidc.AccessTokenClaims](ctx, token, verifier)
	if err != nil {
		return "", err
	}
	if !slices.Contains(claims.Audience, audience) {
		return "", errors.New("the token is for another audience")
	}
	return claims.Subject, nil
}

// documentedIssuer is the host of the issuer in docs/verify.md.
const documentedIssuer = "login.example.com"

// newIssuerFixture runs the Caddyfile of docs/verify.md with a certificate of Caddy's local CA.
// Its client connects to the gateway for every host.
func newIssuerFixture(t *testing.T) *fixture {
	t.Helper()
	page := verifySnippet(t, "Verifiers that start from the issuer", "caddyfile")
	const app, site = "app {env.WX_APPID} {env.WX_SECRET}", "\n" + documentedIssuer + " {"
	if strings.Count(page, app) != 1 || strings.Count(page, site) != 1 || !strings.HasPrefix(page, "{\n") {
		t.Fatalf("the Caddyfile of docs/verify.md does not have the format that this test expects:\n%s", page)
	}
	config := "{\n\tadmin off\n\tpersist_config off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tstorage file_system {{.Dir}}/caddy\n" + strings.NewReplacer(
		app, "app "+wechatsim.DefaultApp.ID+" {env.WXGATE_TEST_SECRET} {\n\t\t\tapi {{.API}}\n\t\t}\n\t\tstore memory",
		site, "\n"+documentedIssuer+":{{slice .Addr 10}} {\n\tbind 127.0.0.1\n\ttls internal",
	).Replace(page[len("{\n"):])
	f := newStoppedFixture(t, simConfig(), config)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // Caddy's local CA
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, f.addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	f.client, f.url = &http.Client{Transport: transport, CheckRedirect: f.client.CheckRedirect}, "https://"+documentedIssuer
	f.load()
	waitForTLS(t, f.addr, documentedIssuer)
	return f
}

// TestDocumentedVerifier: a verifier that knows only the issuer finds the keys, with the Go code
// of docs/verify.md and a common OpenID Connect library.
func TestDocumentedVerifier(t *testing.T) {
	code := verifySnippet(t, "Verifiers that start from the issuer", "go")
	if source := readSource(t, "metadata_test.go"); !strings.Contains(source, strings.TrimSuffix(code, "\n")) {
		t.Errorf("the code in docs/verify.md differs from the tested code:\n%s", code)
	}
	f := newIssuerFixture(t)
	a := f.do("GET", "/.well-known/oauth-authorization-server", "")
	a.want(t, http.StatusOK, "")
	if a.header.Get("Cache-Control") != "public, max-age=3600" || a.json(t)["token_endpoint"] != nil {
		t.Errorf("the metadata: %v %s", a.header, a.body)
	}
	verifier, err := newVerifier(t.Context(), f.client, f.url)
	if err != nil {
		t.Fatal(err)
	}
	login := f.login("alice")
	token := login.str(t, "access_token")
	openid, err := verifyToken(t.Context(), verifier, token, "orders")
	if err != nil || openid != login.str(t, "openId") {
		t.Errorf("got %q, %v", openid, err)
	}
	if _, err := verifyToken(t.Context(), verifier, token, "invoices"); err == nil {
		t.Error("a token for orders was accepted for invoices")
	}
	forged := token[:strings.LastIndex(token, ".")+1] + strings.Repeat("A", 86)
	if _, err := verifyToken(t.Context(), verifier, forged, "orders"); !errors.Is(err, oidc.ErrSignatureInvalid) {
		t.Errorf("a forged signature: %v", err)
	}
	if _, err := newVerifier(t.Context(), f.client, f.url+"/other"); err == nil {
		t.Error("another issuer was found")
	}
	// revocation_endpoint (RFC 7009) ends the session.
	revocation, _ := a.json(t)["revocation_endpoint"].(string)
	f.do("POST", strings.TrimPrefix(revocation, f.url), "token="+token, "Content-Type", "application/x-www-form-urlencoded").want(t, http.StatusOK, "")
	f.do("GET", pub+"/session", "", "Authorization", "Bearer "+token).want(t, http.StatusUnauthorized, "session_revoked")
}

// TestMetadataRefusesIssuers: a site can publish the metadata only of an issuer whose host it
// serves.
func TestMetadataRefusesIssuers(t *testing.T) {
	l := newLoadTest(t)
	config := func(site, token string) string {
		return fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tstorage file_system %s/caddy\n\twxgate {\n\t\tstore memory\n\t\t%s\n\t\ttoken {\n\t\t\t%s\n\t\t}\n\t}\n}\n%s {\n\twxgate {\n\t\tmetadata\n\t}\n}\n", l.dir, goodApp, token, site)
	}
	const issuer = "issuer https://login.example.com:8443/wx"
	for name, test := range map[string]struct{ site, token, want string }{
		"the site":               {"login.example.com", issuer, ""},
		"another letter case":    {"LOGIN.example.com", issuer, ""},
		"one of two hosts":       {"a.example.com, login.example.com", issuer, ""},
		"a wildcard":             {"*.example.com", issuer, ""},
		"every host":             {"http://:8080", issuer, ""},
		"another host":           {"shop.example.com", issuer, "metadata: the site does not serve the issuer's host login.example.com"},
		"below the host":         {"a.login.example.com", issuer, "does not serve the issuer's host"},
		"another site before it": {"login.example.com {\n\trespond ok\n}\nshop.example.com", issuer, "does not serve the issuer's host"},
		"another site after it":  {"shop.example.com {\n\trespond ok\n}\nlogin.example.com", issuer, ""},
		"the default issuer":     {"login.example.com", "access 1h", "the issuer must be an https URL"},
		"http":                   {"login.example.com", "issuer http://login.example.com", "the issuer must be an https URL"},
		"HS256":                  {"login.example.com", issuer + "\n\t\t\talg HS256", "metadata requires a public-key algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			adapted, err := adaptCaddyfile(t, config(test.site, test.token))
			if err != nil {
				t.Fatal(err)
			}
			_, err = l.validateJSON([]byte(adapted))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// readSource returns the text of a file in the folder of this test.
func readSource(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
