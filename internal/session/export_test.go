package session

// What external tests look at inside.
var (
	EncodeSession    = encodeSession
	DecodeSession    = decodeSession
	EncodeKeys       = encodeKeys
	DecodeKeys       = decodeKeys
	EncodeRevocation = encodeRevocation
	DecodeRevocation = decodeRevocation
)

// SetMax makes a memory store small enough to fill.
func (m *Memory) SetMax(n int) { m.max = n }

// ExpirySlack is how much longer than needed Redis keeps a key.
const ExpirySlack = expirySlack
