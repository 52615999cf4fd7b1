package adminapi

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.uber.org/zap"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/queue"
)

// EventList has the queue of events for events_to, and the queues of WeChat's pushes. It names
// no user.
type EventList struct {
	To      string       `json:"to,omitzero" jsonschema:"scheme and host of the receiver; missing without events_to, while nothing is sent"`
	Waiting QueueStatus  `json:"waiting"`
	Pushes  []PushQueue  `json:"pushes" jsonschema:"each forward of a callback"`
	Dead    []DeadLetter `json:"dead" jsonschema:"of all queues, the oldest of each first"`
}

// PushQueue is the queue of a service that gets WeChat's pushes.
type PushQueue struct {
	App     auth.AppID  `json:"app"`
	To      string      `json:"to" jsonschema:"scheme and host of the service"`
	Events  []string    `json:"events,omitzero" jsonschema:"the messages that it gets; missing if it gets all that no other service does"`
	Waiting QueueStatus `json:"waiting"`
}

// DeadLetter is an event or a push that was given up.
type DeadLetter struct {
	ID       string    `json:"id" jsonschema:"jti of the event, or of the assertion of the push"`
	Kind     string    `json:"kind" jsonschema:"event or push"`
	To       string    `json:"to,omitzero" jsonschema:"scheme and host of the receiver"`
	Enqueued time.Time `json:"enqueued"`
	Attempts int       `json:"attempts"`
	Reason   string    `json:"reason" jsonschema:"why the last attempt failed: the status and RFC 8935's error code, or a few words"`
}

// ResendRequest selects the dead letters of [ResendEvents]: one, or all.
type ResendRequest struct {
	ID  string `json:"id,omitzero" jsonschema:"of one dead letter"`
	All bool   `json:"all,omitzero" jsonschema:"all dead letters, instead of id"`
}

// Resent is the response of [ResendEvents].
type Resent struct {
	Resent int `json:"resent" jsonschema:"dead letters that wait for delivery again"`
}

// The calls about the queues.
var (
	ListEvents   = get("events", "show the queues of events_to and of pushes: what waits, and the dead letters", listEvents)
	ResendEvents = post("events/resend", "deliver dead letters again; id: of one, or all", audited, resendEvents)
)

var (
	// ErrNoLetter is a call about a dead letter that no queue has.
	ErrNoLetter = errors.New("no such dead letter")
	// ErrQueueFull is a call that could not put all dead letters into their queues.
	ErrQueueFull = errors.New("the queue is full")
)

// letterID matches the IDs that a queue gives to messages.
var letterID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// Subject implements [Subject].
func (r ResendRequest) Subject(*gateway.Runtime) []zap.Field {
	if !letterID.MatchString(r.ID) {
		return nil // it may be anything, even a token
	}
	return []zap.Field{zap.String("id", r.ID)}
}

// queuesOf returns the queue of events and the queues of pushes.
func queuesOf(rt *gateway.Runtime) []*queue.Queue {
	all := []*queue.Queue{rt.Events}
	for _, f := range rt.Pushes.Forwards() {
		all = append(all, f.Queue)
	}
	return all
}

func listEvents(ctx context.Context, rt *gateway.Runtime) (EventList, error) {
	waiting, err := rt.Events.Status(ctx)
	if err != nil {
		return EventList{}, err
	}
	list := EventList{To: rt.Events.To(), Waiting: queueStatusOf(waiting), Pushes: pushQueues(ctx, rt), Dead: []DeadLetter{}}
	for _, q := range queuesOf(rt) {
		letters, err := q.Dead(ctx)
		if err != nil {
			return EventList{}, err
		}
		for _, e := range letters {
			list.Dead = append(list.Dead, DeadLetter{ID: e.ID, Kind: q.Kind(), To: q.To(), Enqueued: e.Enqueued, Attempts: e.Attempts, Reason: e.Reason})
		}
	}
	return list, nil
}

// pushQueues returns the queues of pushes.
func pushQueues(ctx context.Context, rt *gateway.Runtime) []PushQueue {
	all := []PushQueue{}
	for _, f := range rt.Pushes.Forwards() {
		all = append(all, PushQueue{App: f.App, To: f.Queue.To(), Events: f.Events, Waiting: queueStatus(ctx, f.Queue)})
	}
	return all
}

func resendEvents(ctx context.Context, rt *gateway.Runtime, in ResendRequest) (Resent, error) {
	if in.All == (in.ID != "") {
		return Resent{}, fmt.Errorf("%w: either id or all is required", auth.ErrInvalidRequest)
	}
	if in.ID != "" && !letterID.MatchString(in.ID) {
		return Resent{}, fmt.Errorf("%w: id is not the ID of an event or a push", auth.ErrInvalidRequest)
	}
	resent, letters := 0, 0
	for _, q := range queuesOf(rt) {
		dead, err := q.Dead(ctx)
		if err != nil {
			return Resent{resent}, err
		}
		ids := idsOf(dead, in.ID)
		if len(ids) == 0 {
			continue // without IDs the queue would resend all, also letters that died meanwhile
		}
		n, err := q.Resend(ctx, ids...)
		resent, letters = resent+n, letters+len(ids)
		if err != nil {
			return Resent{resent}, err
		}
	}
	switch {
	case in.ID != "" && letters == 0:
		return Resent{}, ErrNoLetter
	case resent < letters:
		return Resent{resent}, fmt.Errorf("%w: %d of %d dead letters wait for delivery again", ErrQueueFull, resent, letters)
	}
	return Resent{resent}, nil
}

// idsOf returns the IDs of the dead letters: of all, or only id if it is not empty.
func idsOf(letters []*queue.Entry, id string) (ids []string) {
	for _, e := range letters {
		if id == "" || e.ID == id {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
