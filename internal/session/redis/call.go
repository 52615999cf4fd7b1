package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
	"github.com/wxgate/wxgate/internal/session/redis/step"
)

const (
	// maxAttempts is how often an operation is tried if other replicas change what it
	// has read. Within a process such operations wait for each other, so each failed
	// attempt is a successful write of another replica.
	maxAttempts = 64
	// contentionWait is the longest wait before the second attempt. It doubles for each
	// further attempt, up to contentionMax.
	contentionWait = 2 * time.Millisecond
	contentionMax  = 50 * time.Millisecond
)

var errContended = errors.New("too many concurrent changes of the same user by other replicas")

// The operations that [session.Options.Observe] is called with.
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
	opErase     = "erase"
	opList      = "list_sessions"
	opUsersOf   = "users_of"

	opReadAttempts = "attempts"
)

// observed runs one operation on one shard. It does not start it if its context has
// ended, or if Redis does not respond.
func (r *Client) observed(ctx context.Context, op string, shard byte, do func() error) error {
	began := time.Now()
	err := r.admit(ctx, shard)
	if err == nil {
		err = session.Unavailable(do())
	}
	r.opts.Observe(ctx, op, began, err)
	return err
}

// admit fails at once if Redis does not respond, instead of after a timeout. Only the
// follower checks whether Redis responds again.
func (r *Client) admit(ctx context.Context, shard byte) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable(err)
	}
	if r.closed.Load() {
		return session.Unavailable(errClosed)
	}
	return r.followerOf(shard).healthy()
}

// write runs a script that writes and waits for the acknowledgements of replicas, if the
// configuration requires any.
func (r *Client) write(ctx context.Context, s connection.Script, keys, args []string) (wrote bool, err error) {
	n, err := r.client.RunAcked(ctx, s, keys, args)
	if err != nil {
		r.noteRefusal(err)
		return false, r.failed(err)
	}
	r.refused.Store(nil)
	return n == 1, nil
}

// settle calls try, which reads, decides and writes, until no other replica has changed what
// try read. key names what is changed. settle fails at once if Redis stopped responding
// while the caller waited for its turn, or if a write was not acknowledged.
func (r *Client) settle(ctx context.Context, shard byte, key string, try func() (settled bool, err error)) error {
	before := r.refused.Load()
	unlock, err := r.locks.Lock(ctx, key)
	if err != nil {
		return session.Unavailable(err)
	}
	defer unlock()
	if refused := r.refused.Load(); refused != nil && refused != before && errors.Is(*refused, connection.ErrFewAcks) {
		return r.failed(*refused) // another write would wait as long and fail too
	}
	for n := range maxAttempts {
		if err := r.followerOf(shard).healthy(); err != nil {
			return err
		}
		settled, err := try()
		if err != nil && !connection.IsTryAgain(err) || settled {
			return err
		}
		if err := step.Sleep(ctx, step.Jitter(min(contentionWait<<min(n, 8), contentionMax))); err != nil {
			return session.Unavailable(err)
		}
	}
	return session.Unavailable(errContended)
}

// noteRefusal records that Redis responded but refused a write, for [Client.Ready]: health
// checks then fail before users notice.
func (r *Client) noteRefusal(err error) {
	if _, responded := rueidis.IsRedisErr(err); responded || errors.Is(err, connection.ErrFewAcks) {
		r.refused.Store(&err)
	}
}

// probe tests whether Redis accepts writes.
func (r *Client) probe(ctx context.Context) error {
	st := step.New()
	st.Set(r.key(0, "v", "probe"), "1", step.Slack)
	_, err := r.write(ctx, step.Script, st.Keys, st.Args())
	return err
}

// Interface guards
var _ auth.Store = (*Store)(nil)
