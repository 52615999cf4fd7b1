// Package attack is a corpus of attacks on gateways that put a caller's identity
// into request headers, and the machinery that runs it.
//
// Start with [Run]: it sends every [Attack] of [Corpus] to a [Target], which
// proxies to an [Echo] that the package serves itself, and judges each by what
// reached the echo and what came back. A mechanism is a way in which gateways of
// this kind were broken; each attack names the advisories that it comes from.
//
// # Why a check cannot pass for the wrong reason
//
// A gateway that is down blocks every attack. So each attack names its
// [Control]s: benign requests, sent over the same protocol, that show that the
// attacked route works: a token is admitted, a guarded path is guarded. An
// attack whose control fails is inconclusive, and one whose subject the gateway
// does not have, say a public path, is not applicable; neither is "blocked".
//
// The package knows nothing of wxgate: whatever gateway fronts the echo can be
// attacked. It imports no package of ours, so that one misreading of HTTP cannot
// pass on both sides.
package attack
