package secevent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/secevent"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/token/signing"
	"github.com/wxgate/wxgate/internal/token/tokentest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = auth.User{App: "wx4f4bc4dec97d474b", OpenID: "oGZUI0egBJY1zhBYw2KhdUfwVJJE"}
	at    = time.Unix(1_790_000_000, 5)
)

// received is a request that the receiver got.
type received struct {
	header http.Header
	token  string
}

// push sends a payload to a receiver that responds with respond.
func push(t *testing.T, alg signing.Alg, payload []byte, respond http.HandlerFunc) (g *tokentest.Gateway, url string, got received, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = received{r.Header, string(body)}
		respond(w, r)
	}))
	defer server.Close()
	g = tokentest.New(t, func(c *keyring.Config) { c.Alg = alg })
	url = server.URL + "/events"
	p := secevent.NewPusher(secevent.Config{URL: url, Bearer: "s3cret", Tokens: g.Tokens, Issuer: "wxgate"})
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err = p.Send(ctx, queue.Message{ID: "ID1", Payload: payload, Enqueued: at})
	return g, url, got, err
}

func accept(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }

func parse(t *testing.T, text string) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTokens: each event is a Security Event Token that the published keys verify, without sub
// and exp, and with a type and subject defined in OpenID Shared Signals.
func TestTokens(t *testing.T) {
	t.Parallel()
	session := auth.NewSessionID(at, alice)
	user := `"format":"complex","user":{"format":"iss_sub","iss":"wxgate","sub":"` + string(alice.OpenID) + `"},"application":{"format":"opaque","id":"` + string(alice.App) + `"}`
	caep := func(by, reason string) string {
		return `{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{"event_timestamp":1790000000,"initiating_entity":"` + by + `","reason_admin":{"en":"` + reason + `"}}}`
	}
	for name, row := range map[string]struct {
		payload         []byte
		subject, events string
	}{
		"logout": {
			secevent.Encode(auth.Ended{User: alice, Session: session, Cause: auth.CauseLogout, At: at}),
			`{` + user + `,"session":{"format":"opaque","id":"` + string(session) + `"}}`, caep("user", "logout"),
		},
		"all":      {secevent.Encode(auth.Ended{User: alice, Cause: auth.CauseOperator, At: at}), `{` + user + `}`, caep("admin", "operator")},
		"parent":   {secevent.Encode(auth.Ended{User: alice, Cause: auth.CauseParent, At: at}), `{` + user + `}`, caep("policy", "parent_ended")},
		"reuse":    {secevent.Encode(auth.Ended{User: alice, Cause: auth.CauseReused, At: at}), `{` + user + `}`, caep("policy", "refresh_token_reused")},
		"withdraw": {secevent.Encode(auth.Ended{User: alice, Cause: auth.CauseWithdrawn, At: at}), `{` + user + `}`, caep("user", "authorization_withdrawn")},
		"revoke":   {secevent.Encode(auth.Ended{User: alice, Cause: auth.CauseRevoked, At: at}), `{` + user + `}`, caep("user", "token_revoked")},
		"erased":   {secevent.Encode(auth.Ended{User: alice, Cause: auth.CauseErased, At: at}), `{` + user + `}`, `{"https://schemas.openid.net/secevent/risc/event-type/account-purged":{}}`},
		"lost":     {secevent.EncodeLost(at), `{"format":"opaque","id":"events"}`, `{"https://github.com/wxgate/wxgate/event-type/events-lost":{"event_timestamp":1790000000}}`},
	} {
		for _, alg := range []signing.Alg{signing.EdDSA, signing.ES256, signing.RS256} {
			t.Run(name+" "+string(alg), func(t *testing.T) {
				t.Parallel()
				g, url, got, err := push(t, alg, row.payload, accept)
				if err != nil {
					t.Fatal(err)
				}
				for header, want := range map[string]string{"Content-Type": "application/secevent+jwt", "Accept": "application/json", "Authorization": "Bearer s3cret"} {
					if value := got.header.Get(header); value != want {
						t.Errorf("%s: %q, want %q", header, value, want)
					}
				}
				typ, claims := g.Claims(t, got.token)
				if typ != "secevent+jwt" {
					t.Errorf("typ %q", typ)
				}
				want := map[string]any{
					"iss": "wxgate", "aud": url, "iat": float64(tokentest.Start.Unix()), "jti": "ID1",
					"sub_id": parse(t, row.subject), "events": parse(t, row.events),
				}
				if !reflect.DeepEqual(claims, want) {
					t.Errorf("claims %v\nwant   %v", claims, want)
				}
				if _, err := g.Verify(got.token); !errors.Is(err, auth.ErrInvalidToken) {
					t.Errorf("as an access token: %v", err)
				}
			})
		}
	}
}

// TestSharedSecret: an event is never signed with a secret that the receiver would have to
// know.
func TestSharedSecret(t *testing.T) {
	t.Parallel()
	_, _, got, err := push(t, signing.HS256, secevent.EncodeLost(at), accept)
	if !errors.Is(err, queue.ErrRefused) || got.token != "" {
		t.Errorf("%v, sent %q", err, got.token)
	}
}

// TestUnreadable: an invalid payload is refused, and not retried.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if _, _, got, err := push(t, signing.EdDSA, []byte("x"), accept); !errors.Is(err, queue.ErrRefused) || got.token != "" {
		t.Errorf("%v, sent %q", err, got.token)
	}
}

// TestResponses: any 2xx is a success. After a failure, only the status, the error of RFC 8935
// and Retry-After are used. A redirect is not followed, and a long response is not read.
func TestResponses(t *testing.T) {
	t.Parallel()
	const openid = "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
	respond := func(status int, contentType, body, retryAfter string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Location", "/elsewhere")
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, row := range map[string]struct {
		respond http.HandlerFunc
		want    *queue.StatusError
	}{
		"200":             {respond(200, "text/plain", "thanks", ""), nil},
		"204":             {respond(204, "", "", ""), nil},
		"400":             {respond(400, "application/json; charset=utf-8", `{"err":"invalid_audience","description":"not for `+openid+`"}`, ""), &queue.StatusError{Status: 400, Code: "invalid_audience"}},
		"another error":   {respond(400, "application/json", `{"err":"`+openid+`"}`, ""), &queue.StatusError{Status: 400}},
		"another type":    {respond(400, "text/html", `{"err":"invalid_key"}`, ""), &queue.StatusError{Status: 400}},
		"not JSON":        {respond(400, "application/json", `<html>`, ""), &queue.StatusError{Status: 400}},
		"redirect":        {respond(307, "text/html", "", ""), &queue.StatusError{Status: 307}},
		"seconds":         {respond(503, "text/html", "", "120"), &queue.StatusError{Status: 503, RetryAfter: 2 * time.Minute}},
		"many seconds":    {respond(503, "text/html", "", "99999999999"), &queue.StatusError{Status: 503, RetryAfter: 30 * 24 * time.Hour}},
		"a past date":     {respond(429, "text/html", "", "Wed, 21 Oct 2015 07:28:00 GMT"), &queue.StatusError{Status: 429}},
		"negative":        {respond(429, "text/html", "", "-5"), &queue.StatusError{Status: 429}},
		"a long response": {respond(500, "application/json", `{"err":"`+strings.Repeat("x", 1<<20), ""), &queue.StatusError{Status: 500}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			_, _, _, err := push(t, signing.EdDSA, secevent.EncodeLost(at), func(w http.ResponseWriter, r *http.Request) {
				requests++
				row.respond(w, r)
			})
			if requests != 1 {
				t.Errorf("%d requests", requests)
			}
			var got *queue.StatusError
			if errors.As(err, &got) != (row.want != nil) || row.want == nil && err != nil {
				t.Fatalf("got %v, want %v", err, row.want)
			}
			if got != nil && *got != *row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			if err != nil && strings.Contains(err.Error(), openid) {
				t.Errorf("the error names the user: %v", err)
			}
		})
	}
}

// TestKeys: different users have different keys, for all IDs.
func TestKeys(t *testing.T) {
	t.Parallel()
	if bytes.Equal(secevent.Key(auth.User{App: "a", OpenID: "bc"}), secevent.Key(auth.User{App: "ab", OpenID: "c"})) {
		t.Error("two users have the same key")
	}
}
