package corpus

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

const (
	// oracleAttempts is how many ciphertexts in a row a gateway must not decrypt for one
	// user: more than an honest client sends, and a hundred-thousandth of what the attack
	// needs.
	oracleAttempts = 80
	// oracleData and oracleIV are two blocks that decrypt to noise.
	oracleData = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
	oracleIV   = "MDEyMzQ1Njc4OWFiY2RlZg=="
)

// oracleAttacks: AES-CBC has no MAC. If a gateway decrypts any number of chosen
// ciphertexts and shows which it accepts, an attacker can encrypt any phone number.
func oracleAttacks(t *Target) []Attack {
	var out []Attack
	for id, field := range map[string]string{"handle": `,"session_key":"{handle}"`, "token": ""} {
		request := decodeRequest(t, field)
		if field == "" {
			request.Header = append(request.Header, bearer("{token}"))
		}
		out = append(out, Attack{
			ID: "oracle/" + id, Mechanism: oracleMechanism, Needs: []Control{decodes},
			Before: slices.Repeat([]wire.Request{request}, oracleAttempts), Request: request, Judge: stillDecrypts, LimitBlocks: true,
		})
	}
	return out
}

func decodeRequest(t *Target, field string) wire.Request {
	body := `{"encrypted_data":"` + oracleData + `","iv":"` + oracleIV + `"` + field + `}`
	return wire.Request{Method: "POST", Path: t.Decode, Header: []wire.Field{jsonBody}, Body: body}
}

// stillDecrypts: the gateway decrypted, although many attempts came before.
func stillDecrypts(e *Evidence) string {
	if e.Response == nil || slices.Contains(refusesAttempts, e.Response.Status) {
		return ""
	}
	return fmt.Sprintf("after %d ciphertexts that did not decrypt, one more was tried: %s", oracleAttempts, e.status())
}

// refusesAttempts are the statuses of a gateway that did not decrypt.
var refusesAttempts = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}

// triesToDecrypt checks that a gateway decrypts for its users: it refuses noise as such,
// or because the user has reached the limit.
func triesToDecrypt(e *Evidence) error {
	switch {
	case e.Response == nil:
		return fmt.Errorf("%s to a ciphertext", e.status())
	case e.Response.Status == http.StatusNotFound || !strings.Contains(e.Response.Get("Content-Type"), "json"):
		return fmt.Errorf("%w: nothing is decrypted at %s", ErrNotApplicable, e.Target.Decode)
	case e.Response.Status != http.StatusBadRequest && !slices.Contains(refusesAttempts, e.Response.Status):
		return fmt.Errorf("%s to a ciphertext that decrypts to noise", e.status())
	}
	return nil
}
