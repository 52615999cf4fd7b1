package app

import (
	"context"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/metrics"
)

// maxWaitingEvents bounds the events that wait for a slow handler, some 500 bytes each.
const maxWaitingEvents = 1024

// emitter emits events through Caddy's app "events". Caddy calls the handlers of an event
// one after the other, so the emitter runs them in a separate goroutine: a handler can
// neither delay a request nor refuse it.
type emitter struct {
	events  *caddyevents.App
	ctx     caddy.Context
	logger  *zap.Logger
	waiting chan audit.Event
}

// newEmitter prepares the events of a configuration. They are emitted once all apps have
// started, because handlers subscribe until then, and until the configuration ends.
func newEmitter(ctx caddy.Context, logger *zap.Logger) (*emitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	e := &emitter{events: app.(*caddyevents.App), ctx: ctx, logger: logger, waiting: make(chan audit.Event, maxWaitingEvents)}
	return e, e.events.On("started", e)
}

// Handle implements caddyevents.Handler. It is called when all apps have started.
func (e *emitter) Handle(context.Context, caddy.Event) error {
	go e.run()
	return nil
}

func (e *emitter) run() {
	for {
		select {
		case <-e.ctx.Done():
			return
		case act := <-e.waiting:
			if name := act.Name(); name != "" && e.events.ShouldEmit(name) {
				e.emit(name, act.Data())
			}
		}
	}
}

// emit calls the handlers. A handler that panics must not end the process.
func (e *emitter) emit(name string, data map[string]any) {
	defer func() {
		if p := recover(); p != nil {
			e.logger.Error("a handler of an event panicked", zap.String("event", name), zap.String("cause", fmt.Sprint(p)))
		}
	}()
	e.events.Emit(e.ctx, name, data)
}

// add queues an event, or drops it if too many wait.
func (e *emitter) add(act audit.Event) {
	select {
	case e.waiting <- act:
	default:
		metrics.EventsDropped.Inc()
	}
}

// Interface guards
var _ caddyevents.Handler = (*emitter)(nil)
