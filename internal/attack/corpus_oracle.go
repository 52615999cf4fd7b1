package attack

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	// oracleAttempts is how many ciphertexts a gateway must not decrypt for one user
	// in a row: more than any honest client sends, and a hundred-thousandth of what
	// the attack needs.
	oracleAttempts = 80
	// oracleData and oracleIV are two blocks that decrypt to noise.
	oracleData = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
	oracleIV   = "MDEyMzQ1Njc4OWFiY2RlZg=="
)

// oracleAttacks: AES-CBC has no MAC. A gateway that decrypts any number of chosen
// ciphertexts, and shows which ones it accepts, encrypts a phone number of the
// attacker's choice for him.
func oracleAttacks(t *Target) []Attack {
	var out []Attack
	for id, field := range map[string]string{"handle": `,"session_key":"{handle}"`, "token": ""} {
		request := decodeRequest(t, field)
		if field == "" {
			request.Header = append(request.Header, bearer("{token}"))
		}
		out = append(out, Attack{
			ID: "oracle/" + id, Mechanism: oracleMechanism, Needs: []Control{decodes},
			Before: slices.Repeat([]Request{request}, oracleAttempts), Request: request, Judge: stillDecrypts, LimitBlocks: true,
		})
	}
	return out
}

func decodeRequest(t *Target, field string) Request {
	body := `{"encrypted_data":"` + oracleData + `","iv":"` + oracleIV + `"` + field + `}`
	return Request{Method: "POST", Path: t.Decode, Header: []Field{jsonBody}, Body: body}
}

// stillDecrypts: the attempt was made like the first, however many came before it.
func stillDecrypts(e *Evidence) string {
	if e.Answer == nil || slices.Contains(refusesAttempts, e.Answer.Status) {
		return ""
	}
	return fmt.Sprintf("after %d ciphertexts that did not decrypt, one more was tried: %s", oracleAttempts, e.status())
}

// refusesAttempts are what a gateway answers without decrypting.
var refusesAttempts = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}

// triesToDecrypt is the check of a gateway that decrypts for its users: noise is
// refused as such, or because the user is limited already.
func triesToDecrypt(e *Evidence) error {
	switch {
	case e.Answer == nil:
		return fmt.Errorf("%s to a ciphertext", e.status())
	case e.Answer.Status == http.StatusNotFound || !strings.Contains(e.Answer.Get("Content-Type"), "json"):
		return fmt.Errorf("%w: nothing is decrypted at %s", errNotApplicable, e.Target.Decode)
	case e.Answer.Status != http.StatusBadRequest && !slices.Contains(refusesAttempts, e.Answer.Status):
		return fmt.Errorf("%s to a ciphertext that decrypts to noise", e.status())
	}
	return nil
}
