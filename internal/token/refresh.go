package token

const refreshPurpose = "refresh"

// TagRefresh returns a keyed hash of a refresh token under the newest root secret.
func (t *Tokens) TagRefresh(token []byte) []byte { return t.box.MAC(refreshPurpose, token) }

// TaggedRefresh reports whether tag is a result of [Tokens.TagRefresh] for token, with any of
// the configured root secrets: refresh tokens stay valid when the secret is replaced.
func (t *Tokens) TaggedRefresh(token, tag []byte) bool {
	return t.box.ValidMAC(refreshPurpose, token, tag)
}
