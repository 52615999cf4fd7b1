package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/wxgate/wxgate/caddymodule/events"
	"github.com/wxgate/wxgate/caddymodule/queues"
	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/queue/redisqueue"
	"github.com/wxgate/wxgate/internal/secevent"
)

func (a *App) parseEventsTo(d *caddyfile.Dispenser) error {
	if a.EventsTo != nil {
		return d.Err("duplicate events_to")
	}
	a.EventsTo = new(events.Config)
	return a.EventsTo.Parse(d)
}

// provisionEvents must be called after provisionKey: it checks the algorithm.
func (a *App) provisionEvents(repl *caddy.Replacer) error {
	if a.EventsTo == nil {
		return nil
	}
	return a.EventsTo.Provision(repl, a.logger, a.alg, a.Token.Audience)
}

// openEvents opens the queue of events. It runs without events_to as well, so that no event
// stays in a store for longer than seven days.
func (o *opener) openEvents(ctx context.Context) error {
	a, rt := o.app, o.runtime
	if err := o.checkQueue(ctx); err != nil {
		return err
	}
	q, release, err := queues.Acquire(a.Store.key(), events.Spec(), o.store.queue, caddy.Log().Named(Name))
	if err != nil {
		return err
	}
	rt.Events = q
	o.releases = append(o.releases, release)
	if !a.cleaned { // a late request of a replaced configuration must not send with its options
		o.releases = append(o.releases, a.EventsTo.Use(q, o.box, rt.Tokens, a.Token.Issuer))
	}
	return nil
}

// checkQueue returns an error if events or pushes are configured and Redis refuses commands of the
// queue: events would wait in memory, and be lost with the process; no push would be stored. If
// Redis cannot be asked now, the queue reports commands that fail later.
func (o *opener) checkQueue(ctx context.Context) error {
	option := "events_to"
	if o.app.EventsTo == nil {
		option = "forward"
	}
	if o.store.redis == nil || o.app.EventsTo == nil && !o.app.forwards() {
		return nil
	}
	conn, prefix := o.store.redis.Connection()
	if err := redisqueue.CheckRights(ctx, conn, prefix, events.Kind); errors.Is(err, redisqueue.ErrRights) {
		return fmt.Errorf("%s: %w", option, err)
	}
	return nil
}

// sessionEnded puts an event into the queue. A session that ended with its parent is audited
// here: the request or call that ended the parent knows only the parent.
func (o *opener) sessionEnded(e auth.Ended) {
	if e.Cause == auth.CauseParent {
		o.runtime.Record(audit.Event{Action: audit.Revocation, By: audit.Gateway, Session: e.Session, Cause: string(e.Cause), Ended: 1}, e.User, nil)
	}
	o.runtime.Events.Put(secevent.Key(e.User), secevent.Encode(e))
}
