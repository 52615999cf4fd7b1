// Package sessiontest tests stores of sessions. Each store's own tests call
// [Conform] with a function that opens it, and compare it with a model by
// [NewModelRun].
package sessiontest
