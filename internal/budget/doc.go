// Package budget bounds how many paid calls of an app are made in a window of time, over all
// machines that share a store. A call is counted before it is made, and taken off again if it
// certainly cost nothing. What is not known counts: a timeout, or a process that died.
package budget
