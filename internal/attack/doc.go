// Package attack runs a corpus of attacks on gateways that put a caller's identity
// into request headers, and reports which of them succeeded.
//
// Start with [Run]: it sends every attack of package corpus to a target, which proxies
// to an echo, and judges each attack by what reached the echo and by the response. A
// mechanism is a way in which gateways of this kind were broken; each attack names the
// advisories that it comes from.
//
// # Why a check cannot pass for the wrong reason
//
// A gateway that is down blocks every attack. So each attack names its controls: benign
// requests over the same protocol that show that the attacked route works, for example that a
// token is admitted, or that a guarded path is guarded. If a control fails, the attack is
// inconclusive; if the gateway does not have the attacked feature, such as a public path, it is
// not applicable. Neither counts as blocked.
//
// The package does not depend on wxgate: any gateway in front of the echo can be attacked. It
// imports no other package of wxgate, so that tests show a misreading of HTTP on one side.
package attack
