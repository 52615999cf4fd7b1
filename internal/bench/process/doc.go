// Package process starts the servers that `wxgate bench` measures, and reads from the
// operating system what they cost.
package process
