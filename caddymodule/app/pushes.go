package app

import (
	"context"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/miniprogram"
	"github.com/wxgate/wxgate/caddymodule/pushes"
	"github.com/wxgate/wxgate/internal/push"
	"github.com/wxgate/wxgate/internal/push/redisreplies"
)

// provisionForwards must be called after provisionKey: it checks the algorithm.
func (a *App) provisionForwards(lines map[string]string) error {
	for _, m := range a.MiniPrograms {
		if err := pushes.CheckSigning(m.Forwards(), a.alg, a.Token.Audience); err != nil {
			return at(lines, m.AppID, err)
		}
	}
	return nil
}

// forwards reports whether any app forwards messages.
func (a *App) forwards() bool {
	return slices.ContainsFunc(a.MiniPrograms, func(m *miniprogram.Config) bool { return len(m.Forwards()) > 0 })
}

// openPushes opens the queues of the messages that are forwarded.
func (o *opener) openPushes(context.Context) error {
	a, rt := o.app, o.runtime
	opening := &pushes.Opening{
		Store: a.Store.key(), Open: o.store.queue, Box: o.box, Tokens: rt.Tokens, Logger: caddy.Log().Named(Name),
		Send: !a.cleaned, // a late request of a replaced configuration must not send with its options
	}
	if o.store.redis != nil {
		opening.Shared = redisreplies.New(o.store.redis.Connection())
	}
	var forwards []*push.Forward
	for _, m := range a.MiniPrograms {
		for _, configured := range m.Forwards() {
			f, err := configured.Acquire(m.ID(), opening, &o.releases)
			if err != nil {
				return err
			}
			forwards = append(forwards, f)
		}
	}
	rt.Pushes = push.NewRouter(forwards)
	o.releases = append(o.releases, func() error { rt.Pushes.Close(); return nil })
	return nil
}
