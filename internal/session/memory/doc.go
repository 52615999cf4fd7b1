// Package memory stores sessions in the memory of one process, for trials and
// tests. A restart ends every session.
package memory
