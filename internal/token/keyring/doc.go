// Package keyring keeps the signing keys of access tokens.
//
// [Open] loads a [Ring] from its [Storage] or creates it. [Ring.Run] rotates the
// keys, [Ring.Signer] returns the key that signs now, [Ring.Accepted] returns the
// key that a token names, and [Ring.JWKS] returns the public keys for others to
// verify with.
//
// # Replaced keys
//
// A key signs under one or more profiles: an issuer, its audiences and the
// longest lifetime of a token. When rotation or a changed configuration replaces
// a key or a profile, its tokens stay valid until the last of them expires. So a
// rotation or a reload logs no user out.
package keyring
