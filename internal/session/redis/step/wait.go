package step

import (
	"context"
	"math/rand/v2"
	"time"
)

// Jitter returns a random part of d, so that replicas that failed together do not retry
// together.
func Jitter(d time.Duration) time.Duration {
	return rand.N(d) //nolint:gosec // G404: a jitter is not a secret
}

// Sleep waits until d has passed, or returns the error of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
