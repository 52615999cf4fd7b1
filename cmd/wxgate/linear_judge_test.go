package main_test

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// Handmade histories: the specification accepts what replicas may do and refuses what a single
// machine would not have done.

// lag is how long after a response another replica may admit tokens in these histories.
const lag = 100

func lagging(_ int, over int64) int64 {
	if over == never {
		return never
	}
	return over + lag
}

// at returns an operation from call to ret on session 1, at replica 0.
func at(call, ret int64, op operation, out outcome) porcupine.Operation {
	return porcupine.Operation{
		Input: request{op: op, session: 1, call: call}, Call: call,
		Output: result{outcome: out, ret: ret}, Return: ret,
	}
}

// on moves an operation to another replica or session.
func on(o porcupine.Operation, replica, session int) porcupine.Operation {
	in := o.Input.(request)
	in.replica, in.session = replica, session
	o.Input = in
	return o
}

// spent returns a refresh with one token that yielded another.
func spent(call, ret int64, token int, out outcome, yielded int) porcupine.Operation {
	o := at(call, ret, opRefresh, out)
	in := o.Input.(request)
	in.token = token
	o.Input, o.Output = in, result{outcome: out, token: yielded, ret: ret}
	return o
}

// begun returns a login that yielded a refresh token.
func begun(call, ret int64, session, yielded int) porcupine.Operation {
	o := on(at(call, ret, opLogin, done), 0, session)
	o.Output = result{outcome: done, token: yielded, ret: ret}
	return o
}

var (
	login  = begun(1, 2, 1, 10)
	second = begun(1, 2, 2, 20)
)

// possible are histories that replicas may have.
var possible = map[string][]porcupine.Operation{
	"a refresh": {login, spent(3, 4, 10, done, 11), spent(5, 6, 11, done, 12)},
	"a token presented twice at once": {
		login, spent(3, 6, 10, done, 11), on(spent(4, 5, 10, done, 11), 1, 1),
	},
	"a lost refresh that happened": {login, spent(3, never, 10, unknown, 0), spent(5, 6, 10, done, 11)},
	"a lost refresh that did not":  {login, spent(3, never, 10, unknown, 0), spent(5, 6, 10, done, 11), spent(7, 8, 11, done, 12)},
	"a token that was kept":        {login, spent(3, 4, 10, done, 11), spent(5, 6, 11, done, 12), spent(7, 8, 10, reused, 0), spent(9, 10, 12, revoked, 0)},
	"a replica that has not received a logout": {
		login, at(3, 4, opLogout, done), on(at(5, 6, opCheck, done), 1, 1), on(at(7, 8, opCheck, revoked), 1, 1),
	},
	"two logouts at once":              {login, at(3, 6, opLogout, done), at(4, 5, opLogout, done)},
	"a lost logout that happens later": {login, at(3, never, opLogout, unknown), spent(5, 6, 10, done, 11), spent(7, 8, 11, revoked, 0)},
	"a logout of all":                  {login, second, at(3, 4, opLogoutAll, done), on(spent(5, 6, 20, revoked, 0), 1, 2)},
	"a twin of a refresh whose response followed a logout": {
		login, spent(3, 9, 10, done, 11), on(at(4, 5, opLogout, done), 1, 1), spent(6, 9, 10, done, 11),
	},
	"a twin of a repeated refresh, when the next token was spent too": {
		login, spent(3, 4, 10, done, 11), spent(5, 12, 10, done, 11), spent(7, 8, 11, done, 12), spent(9, 12, 10, done, 11),
	},
}

// impossible are histories whose last operation is impossible.
var impossible = map[string][]porcupine.Operation{
	"two successors":                           {login, spent(3, 6, 10, done, 11), on(spent(4, 5, 10, done, 12), 1, 1)},
	"a refresh that was undone":                {login, spent(3, 4, 10, done, 11), spent(5, 6, 11, reused, 0)},
	"a current token refused":                  {login, spent(3, 4, 10, reused, 0)},
	"a kept token that works":                  {login, spent(3, 4, 10, done, 11), spent(5, 6, 11, done, 12), spent(7, 8, 10, done, 13)},
	"a session that was lost":                  {login, at(3, 4, opCheck, revoked)},
	"a refresh after the logout":               {login, at(3, 4, opLogout, done), on(spent(5, 6, 10, done, 11), 1, 1)},
	"a token admitted where it was logged out": {login, at(3, 4, opLogout, done), at(5, 6, opCheck, done)},
	"a token admitted elsewhere, too late":     {login, at(3, 4, opLogout, done), on(at(5+lag, 6+lag, opCheck, done), 1, 1)},
	"a replica that forgot": {
		login, at(3, 4, opLogout, done), on(at(5, 6, opCheck, revoked), 1, 1), on(at(7, 8, opCheck, done), 1, 1),
	},
	"a lost logout that was undone": {login, at(3, never, opLogout, unknown), spent(5, 6, 10, revoked, 0), spent(7, 8, 10, done, 11)},
	"half of a logout of all":       {login, second, at(3, 4, opLogoutAll, done), on(spent(5, 6, 20, done, 21), 1, 2)},
	"a session without a login":     {login, on(spent(3, 4, 20, done, 21), 0, 2)},
}

// TestLinearModel checks both with the specification.
func TestLinearModel(t *testing.T) {
	model := linearModel(lagging)
	for name, history := range possible {
		if !porcupine.CheckOperations(model, history) {
			t.Errorf("%s: was refused", name)
		}
	}
	for name, history := range impossible {
		last := len(history) - 1
		if !porcupine.CheckOperations(model, history[:last]) {
			t.Errorf("%s: was refused before the last operation", name)
		}
		if porcupine.CheckOperations(model, history) {
			t.Errorf("%s: was accepted", name)
		}
	}
}
