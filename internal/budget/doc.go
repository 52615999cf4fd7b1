// Package budget bounds how many paid calls of an app are made in a window of time, over all
// machines that share a store. A call is counted before it is made, and uncounted if it
// certainly cost nothing. If that is unknown, the call counts: after a timeout, or if the
// process died.
package budget
