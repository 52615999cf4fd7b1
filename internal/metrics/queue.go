package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Queue has the counts of one kind of messages in a queue.
type Queue struct {
	Entries int
	Bytes   int64
	Dead    int
	Oldest  time.Time // when the oldest entry was put into the queue; zero if there are no entries
}

// plus returns the sum of two queues.
func (q Queue) plus(other Queue) Queue {
	q.Entries, q.Bytes, q.Dead = q.Entries+other.Entries, q.Bytes+other.Bytes, q.Dead+other.Dead
	if q.Oldest.IsZero() || !other.Oldest.IsZero() && other.Oldest.Before(q.Oldest) {
		q.Oldest = other.Oldest
	}
	return q
}

// age returns how long the oldest entry has waited; 0 if there are no entries.
func (q Queue) age() time.Duration {
	if q.Oldest.IsZero() {
		return 0
	}
	return max(0, time.Since(q.Oldest)) // another machine's clock may be ahead
}

var (
	queueDepth = prometheus.NewDesc("wxgate_queue_depth",
		"Messages that wait for their delivery, by kind (event or push). With store redis, of all machines.", []string{"kind"}, nil)
	queueBytes = prometheus.NewDesc("wxgate_queue_bytes",
		"Bytes of the messages that wait for their delivery, by kind.", []string{"kind"}, nil)
	queueOldest = prometheus.NewDesc("wxgate_queue_oldest_seconds",
		"How long the oldest message has waited for its delivery, by kind; 0 if none waits.", []string{"kind"}, nil)
	queueDead = prometheus.NewDesc("wxgate_queue_dead",
		"Dead letters, by kind: wxgate events list shows them.", []string{"kind"}, nil)
)
