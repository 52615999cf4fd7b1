// Package bolt stores sessions in one bbolt file, which a single process opens.
//
// [Open] opens the file, which outlives configuration reloads. [File.Store]
// returns an [auth.Store] over it for one configuration. [Check] and [Compact]
// work on a file that no gateway has open.
//
// Every record is sealed with the root secret and bound to its key; keys that identify a user
// are keyed hashes. A copy of the file reveals only how many sessions there are and when they
// end.
package bolt
