package redis

import "github.com/wxgate/wxgate/internal/session/redis/step"

// ExpirySlack is how much longer than needed Redis keeps a key.
const ExpirySlack = step.Slack
