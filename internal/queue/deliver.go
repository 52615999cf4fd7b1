package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// workers is how many messages are delivered at once. One machine sends eight messages a
	// second to a receiver that takes a second for each.
	workers = 8

	// callTime bounds one attempt. lease is how long the entry belongs to the attempt: the
	// attempt and the step that settles it have ended by then, so that no two machines
	// deliver a message at once.
	callTime = 10 * time.Second
	lease    = callTime + 2*storeTime
)

// ErrNoRoute means that no configuration sends these messages.
var ErrNoRoute = errors.New("no configuration sends these messages")

// runDelivery delivers messages that are due, until ctx ends.
func (q *Queue) runDelivery(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	free := make(chan struct{}, workers)
	failed := false
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		e, wait, err := q.claim(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			q.log().Error("reading the queue failed", zap.Error(err))
		}
		failed = err != nil
		if e == nil {
			<-free
			if !sleep(ctx, q.wake, wait) {
				return
			}
			continue
		}
		running.Go(func() {
			q.attempt(ctx, e)
			<-free
			q.notify() // the next entry of the order is due
		})
	}
}

// claim returns the next entry to deliver, or how long to wait.
func (q *Queue) claim(ctx context.Context) (e *Entry, wait time.Duration, err error) {
	if q.route() == nil {
		return nil, idle, nil // until Use
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	e, wait, err = q.cfg.Store.Claim(ctx, lease)
	if err != nil {
		return nil, storeRetry, err
	}
	return e, wait, nil
}

// attempt delivers an entry and settles it. If settling fails, the entry is delivered again
// once its lease has ended.
func (q *Queue) attempt(ctx context.Context, e *Entry) {
	began := time.Now()
	if e.Started.IsZero() {
		e.Started = began
	}
	err := q.send(ctx, e)
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	if err := q.settle(settling, e, err, ctx.Err() != nil); err != nil {
		q.log().Error("the queue could not be updated; a message may be delivered twice", zap.String("id", e.ID), zap.Error(err))
	}
}

func (q *Queue) send(ctx context.Context, e *Entry) error {
	route := q.route()
	if route == nil {
		return ErrNoRoute
	}
	payload, err := q.open(route.Box, e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return route.Send(ctx, Message{ID: e.ID, Payload: payload, Enqueued: e.Enqueued})
}

// settle applies the policy after an attempt. stopped reports that the attempt was interrupted
// because the queue ends.
func (q *Queue) settle(ctx context.Context, e *Entry, failure error, stopped bool) error {
	now := time.Now()
	if failure == nil {
		q.recovered(e)
		q.cfg.Observe(Delivered, 1)
		return q.cfg.Store.Done(ctx, e)
	}
	if stopped || errors.Is(failure, ErrNoRoute) {
		return q.cfg.Store.Retry(ctx, e, e.Order)
	}
	e.Reason = reason(failure)
	if final(failure) || now.Sub(e.Started) >= tryFor {
		q.log().Error("a message was not delivered and became a dead letter", zap.String("id", e.ID), zap.Int("attempts", e.Attempts), zap.String("reason", e.Reason))
		q.cfg.Observe(Dead, 1)
		return q.cfg.Store.Bury(ctx, e)
	}
	q.failed(e)
	q.cfg.Observe(Retried, 1)
	e.Next = now.Add(backoff(e.Attempts, failure))
	order, until := e.Order, e.Started.Add(waitOrder)
	if !now.Before(until) {
		order, until = e.aside(), e.Started.Add(tryFor)
	}
	if e.Next.After(until) {
		e.Next = until
	}
	return q.cfg.Store.Retry(ctx, e, order)
}

// failed logs the first failed attempt of a series.
func (q *Queue) failed(e *Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.failing {
		q.log().Warn("the receiver does not accept messages; they are tried again", zap.String("id", e.ID), zap.String("reason", e.Reason))
	}
	q.failing = true
}

// recovered logs the first delivery after failed attempts.
func (q *Queue) recovered(e *Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing {
		q.log().Info("the receiver accepts messages again", zap.String("id", e.ID))
	}
	q.failing = false
}
