// Package queue keeps messages for other services until they are delivered: at least once,
// and one after another where the order matters.
//
// A [Queue] belongs to one process. [Queue.Put] never waits and never fails: a user's action,
// such as a logout, must not depend on a receiver. [Queue.Add] returns once the message is
// stored, for a sender that repeats messages until they are. [Queue.Run] writes messages to a
// [Store] and delivers them. A store outlives the process and may be shared by several
// machines; a [Local] without a journal does neither.
package queue
