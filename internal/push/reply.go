package push

import (
	"bytes"
	"context"

	"github.com/wxgate/wxgate/internal/wechat/callback"
)

const (
	// maxReplyBytes bounds a reply. A text has 2,048 bytes at most, a news reply eight
	// articles.
	maxReplyBytes = 32 << 10

	// acknowledged is a response without a reply, as in WeChat's documentation.
	acknowledged = "success"
)

// ReplyOutcome is the outcome of waiting for a service's reply.
type ReplyOutcome string

// The outcomes of [Router.Reply].
const (
	NotAwaited   ReplyOutcome = ""        // the service gives no replies, or no service gets the message
	ReplySent    ReplyOutcome = "sent"    // WeChat gets the reply
	ReplyEmpty   ReplyOutcome = "empty"   // the service had nothing to reply
	ReplyInvalid ReplyOutcome = "invalid" // WeChat would not accept the reply
	ReplyLate    ReplyOutcome = "late"    // there was no reply before the context ended
)

// Reply waits for the reply of the service to a message that [Router.Store] has stored, now or
// when WeChat sent it before. It returns nil if WeChat should get a plain success. The error is
// [callback.ErrReply]; it is only for the log.
func (r *Router) Reply(ctx context.Context, p *callback.Push) (*callback.Reply, ReplyOutcome, error) {
	f := r.find(p)
	if f == nil || f.Replies == nil {
		return nil, NotAwaited, nil
	}
	text, ok := f.Replies.wait(ctx, f.Queue.ID(identity(p)))
	if !ok {
		return nil, ReplyLate, nil
	}
	if trimmed := bytes.TrimSpace(text); len(trimmed) == 0 || string(trimmed) == acknowledged {
		return nil, ReplyEmpty, nil
	}
	reply, err := p.Reply(text)
	if err != nil {
		return nil, ReplyInvalid, err
	}
	return &reply, ReplySent, nil
}
