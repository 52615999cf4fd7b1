// Package sessiontest tests stores of sessions. The tests of each store call [Conform] with
// a function that opens the store, and compare the store with a model by [NewModelRun].
package sessiontest
