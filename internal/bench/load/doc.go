// Package load has both ends of a measurement of `wxgate bench`: clients that send requests one
// after the other over kept HTTP/1.1 connections, and the upstream behind the servers. Both are
// small loops, so that most of the machine is left to the server between them.
package load
