package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

// callbackEndpoint is one path for all apps of a site that have a callback.
var callbackEndpoint = endpoint{name: "callback", method: http.MethodPost, also: http.MethodGet, serve: (*Gateway).serveCallback}

// serveCallback is GET and POST {prefix}/callback. WeChat calls it to verify the URL, and to
// push messages about its users.
func (g *Gateway) serveCallback(c *call) error {
	began := time.Now()
	query := c.r.URL.Query()
	if c.r.Method == http.MethodGet {
		echo, err := firstAccepting(g.config.Callbacks, func(receiver *callback.Receiver) (string, error) { return receiver.Echo(query) })
		if err != nil {
			return callbackRefused(err)
		}
		return write(c.w, plainText, echo)
	}
	body, err := problem.ReadAtMost(c.w, c.r, callback.MaxBytes)
	if err != nil {
		return err
	}
	received, err := firstAccepting(g.config.Callbacks, func(receiver *callback.Receiver) (callback.Push, error) { return receiver.Open(query, body) })
	if err != nil {
		return callbackRefused(err)
	}
	outcome, err := g.acceptPush(c, &received)
	metrics.Pushes.WithLabelValues(string(received.Event), string(outcome)).Inc()
	if err != nil {
		return err // WeChat sends the message again
	}
	if reply := g.replyTo(c, &received, began); reply != nil {
		return write(c.w, reply.ContentType, string(reply.Body))
	}
	return write(c.w, plainText, "success")
}

// replyWithin is how long WeChat's response waits for the reply of a service, from the arrival
// of the message: WeChat closes the connection after five seconds.
const replyWithin = 4 * time.Second

// replyTo returns the reply of the service to a stored message; nil if there is none in time.
func (g *Gateway) replyTo(c *call, received *callback.Push, began time.Time) *callback.Reply {
	ctx, cancel := context.WithDeadline(c.r.Context(), began.Add(replyWithin))
	defer cancel()
	reply, outcome, err := c.runtime.Pushes.Reply(ctx, received)
	if outcome != push.NotAwaited {
		metrics.PushReplies.WithLabelValues(string(outcome)).Inc()
	}
	if err != nil {
		g.Logger.Warn("WeChat would not accept the reply of a service; WeChat got success instead", zap.String("app", string(received.App)), zap.Error(err))
	}
	return reply
}

// acceptPush acts on a message, and then stores it for its service: a service never gets a
// message before the gateway has acted on it.
func (g *Gateway) acceptPush(c *call, received *callback.Push) (push.Outcome, error) {
	if err := g.withdraw(c, received); err != nil {
		return push.Failed, err
	}
	return c.runtime.Pushes.Store(c.r.Context(), received)
}

// withdraw deletes the data that a user no longer allows the app to have.
func (g *Gateway) withdraw(c *call, received *callback.Push) error {
	if received.Ends == callback.EndsNothing || received.Handled() {
		return nil
	}
	done := audit.Event{Action: audit.Revocation, By: audit.WeChat, Request: g.Server.RequestID(c.r), Cause: string(received.Event)}
	var err error
	if received.Ends == callback.EndsKeys {
		done.Action = audit.KeysForgotten
		err = c.runtime.Service.ForgetKeys(c.r.Context(), received.User)
	} else {
		done.All = true
		done.Ended, err = c.runtime.Service.EndUser(c.r.Context(), received.User, auth.CauseWithdrawn)
	}
	c.runtime.Record(done, received.User, err)
	if err != nil {
		return err
	}
	received.MarkHandled()
	g.Logger.Info("deleted what is stored of a user, as WeChat requires",
		zap.String("event", string(received.Event)), zap.String("app", string(received.User.App)), zap.Bool("sessions", done.All))
	return nil
}

// firstAccepting tries the callbacks of all apps, because the URL does not contain the app. The
// app whose token signed the request accepts it.
func firstAccepting[T any](callbacks []*callback.Receiver, ask func(*callback.Receiver) (T, error)) (T, error) {
	var none T
	refusal := fmt.Errorf("%w: no app of this site sent it", auth.ErrForbidden)
	for _, receiver := range callbacks {
		result, err := ask(receiver)
		if err == nil {
			return result, nil
		}
		if errors.Is(refusal, auth.ErrForbidden) { // the error of the right app is more specific
			refusal = err
		}
	}
	return none, refusal
}

// callbackRefused is like [problem.Of], with details for an operator who configures the
// callback.
func callbackRefused(err error) *problem.Problem {
	p := problem.Of(err)
	p.Bearer = ""
	switch {
	case errors.Is(err, auth.ErrForbidden):
		p.SetDetail("The signature does not match the configured token, or the timestamp is not current.")
	case errors.Is(err, auth.ErrDecryptFailed):
		p.SetDetail("The message cannot be decrypted with the configured EncodingAESKey.")
	}
	return p
}

const plainText = "text/plain; charset=utf-8"

func write(w http.ResponseWriter, contentType, text string) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, err := io.WriteString(w, text)
	return err
}
