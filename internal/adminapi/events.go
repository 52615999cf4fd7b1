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

// EventList is the queue of events for events_to. It names no user.
type EventList struct {
	To      string       `json:"to,omitzero" jsonschema:"scheme and host of the receiver; missing without events_to, while nothing is sent"`
	Waiting QueueStatus  `json:"waiting"`
	Dead    []DeadLetter `json:"dead" jsonschema:"oldest first"`
}

// DeadLetter is an event that was given up.
type DeadLetter struct {
	ID       string    `json:"id" jsonschema:"jti of the event"`
	Kind     string    `json:"kind" jsonschema:"event"`
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

// The calls about the queue of events.
var (
	ListEvents   = get("events", "show the queue of events_to: what waits, and the dead letters", listEvents)
	ResendEvents = post("events/resend", "deliver dead letters again; id: of one, or all", audited, resendEvents)
)

var (
	// ErrNoLetter is a call about a dead letter that the queue does not have.
	ErrNoLetter = errors.New("no such dead letter")
	// ErrQueueFull is a call that could not put all dead letters into the queue.
	ErrQueueFull = errors.New("the queue is full")
)

// letterID is what the queue gives a message as ID.
var letterID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// Subject implements [Subject].
func (r ResendRequest) Subject(*gateway.Runtime) []zap.Field {
	if !letterID.MatchString(r.ID) {
		return nil // it may be anything, such as a token
	}
	return []zap.Field{zap.String("id", r.ID)}
}

func listEvents(ctx context.Context, rt *gateway.Runtime) (EventList, error) {
	waiting, err := rt.Events.Status(ctx)
	if err != nil {
		return EventList{}, err
	}
	letters, err := rt.Events.Dead(ctx)
	if err != nil {
		return EventList{}, err
	}
	list := EventList{To: rt.Events.To(), Waiting: queueStatusOf(waiting), Dead: make([]DeadLetter, 0, len(letters))}
	for _, e := range letters {
		list.Dead = append(list.Dead, DeadLetter{ID: e.ID, Kind: rt.Events.Kind(), Enqueued: e.Enqueued, Attempts: e.Attempts, Reason: e.Reason})
	}
	return list, nil
}

func resendEvents(ctx context.Context, rt *gateway.Runtime, in ResendRequest) (Resent, error) {
	if in.All == (in.ID != "") {
		return Resent{}, fmt.Errorf("%w: either id or all is required", auth.ErrInvalidRequest)
	}
	if in.ID != "" && !letterID.MatchString(in.ID) {
		return Resent{}, fmt.Errorf("%w: id is not the ID of an event", auth.ErrInvalidRequest)
	}
	letters, err := rt.Events.Dead(ctx)
	if err != nil {
		return Resent{}, err
	}
	ids := idsOf(letters, in.ID)
	if in.ID != "" && len(ids) == 0 {
		return Resent{}, ErrNoLetter
	}
	if len(ids) == 0 {
		return Resent{}, nil // without IDs the queue would take all, also those that are new
	}
	n, err := rt.Events.Resend(ctx, ids...)
	if err == nil && n < len(ids) {
		err = fmt.Errorf("%w: %d of %d dead letters wait for delivery again", ErrQueueFull, n, len(ids))
	}
	return Resent{n}, err
}

// idsOf returns the IDs of the dead letters: of all, or of the one with an ID.
func idsOf(letters []*queue.Entry, id string) (ids []string) {
	for _, e := range letters {
		if id == "" || e.ID == id {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
