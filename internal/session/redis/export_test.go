package redis

// ExpirySlack is how much longer than needed Redis keeps a key.
const ExpirySlack = expirySlack
