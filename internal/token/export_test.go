package token

// The rules, so that the tests of forgeries can tell for which one a token was
// refused: a row that fails for another reason proves nothing.
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
)

const (
	MaxInputBytes = maxInputBytes
	MaxSkew       = maxSkew
	PublishAhead  = publishAhead
	ReplicaLag    = replicaLag
	ReloadEvery   = reloadEvery
	HintGap       = hintGap
	MaxKeys       = maxKeys
	MaxProfiles   = maxProfiles
)

// Flush waits until what was put into the cache can be found there.
func (t *Tokens) Flush() { t.cache.inner.Wait() }

// Cached reports whether a token would be answered without its signature.
func (t *Tokens) Cached(raw string) bool {
	p := t.cache.digest(raw)
	return t.cache.get(&p) != nil
}
