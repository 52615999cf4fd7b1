package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

const (
	// maxAttempts is how often an operation reads again because another replica
	// changed what it had read. Within a process such operations wait for each
	// other, so each failure is another replica's success.
	maxAttempts = 64
	// contentionWait is the longest wait before the second attempt; before later
	// ones it is longer, to contentionMax.
	contentionWait = 2 * time.Millisecond
	contentionMax  = 50 * time.Millisecond
)

var errContended = errors.New("too many concurrent changes of the same user by other replicas")

// The operations that [Config.Observe] is called with.
const (
	opCreate    = "create"
	opSession   = "session"
	opUpdate    = "update"
	opEndUser   = "end_user"
	opKeys      = "session_keys"
	opPutKey    = "put_session_key"
	opDropKey   = "drop_session_key"
	opRevoke    = "revoke_session"
	opRevokeKey = "revoke_key"
	opLoad      = "load"
	opSwap      = "update_value"
	opPut       = "put_value"
	opLease     = "lease"
	opTake      = "take"
	opImport    = "import"
	opAttempts  = "update_attempts"
)

// observed runs one operation on one shard: not at all when its context is over
// or when Redis has not responded lately.
func (r *Client) observed(ctx context.Context, op string, shard byte, do func() error) error {
	began := time.Now()
	err := r.admit(ctx, shard)
	if err == nil {
		err = session.Unavailable(do())
	}
	r.cfg.Observe(op, time.Since(began), err)
	return err
}

// admit fails at once where a command would only find out after its timeout. The
// follower alone checks whether Redis is back.
func (r *Client) admit(ctx context.Context, shard byte) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
	}
	if r.closed.Load() {
		return session.Unavailable(errClosed)
	}
	return r.followerOf(shard).healthy()
}

// write runs a script that writes and, where the configuration asks for it,
// waits until replicas of Redis hold what it wrote.
func (r *Client) write(ctx context.Context, s connection.Script, keys, args []string) (wrote bool, err error) {
	n, err := r.client.RunAcked(ctx, s, keys, args)
	if err != nil {
		r.noteRefusal(err)
		return false, r.failed(err)
	}
	r.refused.Store(nil)
	return n == 1, nil
}

// settle has try read, decide and write until what it read still held when it
// wrote. key names what is changed. A caller that waited for its turn while Redis fell
// silent, or while a write found too few replicas, does not try for long.
func (r *Client) settle(ctx context.Context, shard byte, key string, try func() (settled bool, err error)) error {
	before := r.refused.Load()
	unlock, err := r.locks.lock(ctx, key)
	if err != nil {
		return session.Unavailable(err)
	}
	defer unlock()
	if refused := r.refused.Load(); refused != nil && refused != before && errors.Is(*refused, connection.ErrFewAcks) {
		return r.failed(*refused) // each of those that wait would wait as long again
	}
	for n := range maxAttempts {
		if err := r.followerOf(shard).healthy(); err != nil {
			return err
		}
		settled, err := try()
		if err != nil && !connection.IsTryAgain(err) || settled {
			return err
		}
		if err := sleep(ctx, jitter(min(contentionWait<<min(n, 8), contentionMax))); err != nil {
			return session.Unavailable(err)
		}
	}
	return session.Unavailable(errContended)
}

// noteRefusal remembers that Redis answered and did not take a write: readers
// of [Client.Ready] see it before users do.
func (r *Client) noteRefusal(err error) {
	if _, answered := rueidis.IsRedisErr(err); answered || errors.Is(err, connection.ErrFewAcks) {
		r.refused.Store(&err)
	}
}

// probe writes a little, to see whether that works.
func (r *Client) probe(ctx context.Context) error {
	st := newStep()
	st.set(r.key(0, "v", "probe"), "1", expirySlack)
	_, err := r.write(ctx, scriptStep, st.keys, st.args())
	return err
}

// jitter is a part of d by chance, so that replicas that were interrupted at one
// moment do not come back at one moment.
func jitter(d time.Duration) time.Duration {
	return rand.N(d) //nolint:gosec // G404: a jitter is no secret
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Interface guards
var _ auth.Store = (*Store)(nil)
