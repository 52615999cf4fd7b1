package token

// The rules, so that the tests of forgeries can check which rule refused a token: a refusal for
// another reason proves nothing.
var (
	RuleTooLong   = errTooLong
	RuleForm      = errForm
	RuleHeader    = errHeader
	RuleType      = errType
	RuleKeyID     = errKeyID
	RuleNoKey     = errNoKey
	RuleAlgorithm = errAlgorithm
	RuleSignature = errSignature
	RuleClaims    = errClaims
	RuleVariant   = errVariant
	RuleMissing   = errMissing
	RuleProfile   = errProfile
	RuleLifetime  = errLifetime
	RuleNotYet    = errNotYet
	RulePhone     = errPhone
	RuleRanked    = errRanked
)

// Flush waits until entries that were put into the cache can be found.
func (t *Tokens) Flush() { t.cache.inner.Wait() }

// Cached reports whether the cache has a token.
func (t *Tokens) Cached(raw string) bool {
	return t.cache.get(t.cache.key(raw), raw) != nil
}
