package main_test

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"slices"

	"github.com/anishathalye/porcupine"
)

// This file is the sequential specification: the sessions of one user on a single machine.
// porcupine checks a concurrent history against it. Logins, refreshes and logouts are
// linearizable on any replica. The revocation of a session is not: a replica may admit its
// access tokens for a while after the end, which the specification includes.
//
// Tokens and sessions have numbers from the recorder. Times are nanoseconds since the
// recording began.

// operation is the kind of a request.
type operation int

const (
	opLogin operation = iota
	opRefresh
	opCheck // an access token is presented to the business service
	opLogout
	opLogoutAll
)

// request is the input of an operation.
type request struct {
	op      operation
	user    int
	replica int
	session int // the session of the presented token, or that a login began
	token   int // the refresh token that a refresh presents
	call    int64
}

// outcome is the outcome of an operation.
type outcome int

const (
	unknown outcome = iota // no response: it was carried out, will be, or never will
	done
	revoked // 401 session_revoked
	reused  // 401 refresh_reused
)

// result is the output of an operation.
type result struct {
	outcome outcome
	token   int // the refresh token that a login or a refresh yielded
	ret     int64
}

const (
	never        = int64(math.MaxInt64) // when an operation without a response returns
	unknownToken = -1                   // the token that a refresh without a response yielded
)

// twin is a refresh that a replica has carried out. A request that presents the same token to
// the same replica before the response shares that response, even if the session has ended
// meanwhile.
type twin struct {
	token, successor int
	ret              int64
}

// sessionState is one session. It is comparable.
type sessionState struct {
	id                int
	current, previous int // refresh tokens; 0 before the first
	ended             bool
	endedBy           int64                      // when the operation that ended it had its response
	reused            int                        // the token whose reuse ended it, or 0
	admits            [replicas]int64            // until when each replica may admit it
	twins             [replicas][phonesEach]twin // no more are in progress at once
}

// userState is the sessions of a user, by their number.
type userState []sessionState

// lateness returns until when a replica may admit a session whose end was confirmed at over.
type lateness func(replica int, over int64) int64

// linearModel is the specification.
func linearModel(late lateness) porcupine.Model {
	seed := maphash.MakeSeed()
	return porcupine.Model{
		Partition: partitionByUser,
		Init:      func() any { return userState(nil) },
		Step: func(state, input, output any) (bool, any) {
			return state.(userState).step(input.(request), output.(result), late)
		},
		Equal: func(a, b any) bool { return slices.Equal(a.(userState), b.(userState)) },
		Hash: func(state any) (sum uint64) {
			for _, s := range state.(userState) {
				sum = sum*31 + maphash.Comparable(seed, s)
			}
			return sum
		},
		DescribeOperation: describe,
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

func partitionByUser(history []porcupine.Operation) [][]porcupine.Operation {
	parts := make(map[int][]porcupine.Operation)
	for _, op := range history {
		user := op.Input.(request).user
		parts[user] = append(parts[user], op)
	}
	var out [][]porcupine.Operation
	for _, part := range parts {
		out = append(out, part)
	}
	return out
}

func describe(input, output any) string {
	in, out := input.(request), output.(result)
	what := [...]string{"login", "refresh", "check", "logout", "logout of all"}[in.op]
	became := [...]string{"?", "ok", "revoked", "reused"}[out.outcome]
	return fmt.Sprintf("%s of session %d with token %d at replica %d: %s %d", what, in.session, in.token, in.replica, became, out.token)
}

// step reports whether an operation may have that outcome in this state, and returns the next
// state. It does not change u, because states are shared.
func (u userState) step(in request, out result, late lateness) (bool, userState) {
	if in.op == opLogin { // without a response, no client knows the session
		return true, append(slices.Clone(u), sessionState{id: in.session, current: out.token}).sorted()
	}
	i := slices.IndexFunc(u, func(s sessionState) bool { return s.id == in.session })
	if i < 0 {
		return false, u // no client has its token yet
	}
	next := slices.Clone(u)
	s := &next[i]
	var may bool
	switch in.op {
	case opRefresh:
		may = s.refresh(in, out, late)
	case opCheck:
		may = s.check(in, out)
	default:
		may = next.logout(s, in, out, late)
	}
	return may, next
}

func (u userState) sorted() userState {
	slices.SortFunc(u, func(a, b sessionState) int { return a.id - b.id })
	return u
}

// refresh specifies a refresh: the current token is spent, the token before it yields its
// successor again for a while, and any other token ends the session.
func (s *sessionState) refresh(in request, out result, late lateness) bool {
	switch {
	case out.outcome == done && s.sharesResponse(in, out):
		return true
	case s.ended:
		sameReuse := s.reused == in.token && in.call <= s.endedBy
		return out.outcome == revoked || out.outcome == unknown || out.outcome == reused && sameReuse
	case in.token == s.current:
		return s.rotate(in, out)
	case in.token == s.previous:
		return s.replay(in, out)
	case out.outcome == reused || out.outcome == unknown:
		s.reused = in.token
		s.end(out.ret, late)
		return true
	default:
		return false
	}
}

func (s *sessionState) rotate(in request, out result) bool {
	switch out.outcome {
	case done:
		if out.token == s.current || out.token == s.previous {
			return false
		}
		s.current = out.token
	case unknown:
		s.current = unknownToken
	default:
		return false
	}
	s.previous = in.token
	s.fly(in, out)
	return true
}

// replay specifies a refresh with the token before the current one, within its grace period and
// not too often; see [historian.pick].
func (s *sessionState) replay(in request, out result) bool {
	switch out.outcome {
	case unknown:
		return true
	case done:
		if s.current != out.token && s.current != unknownToken {
			return false // a second successor
		}
		s.current = out.token
		s.fly(in, out)
		return true
	default:
		return false
	}
}

// fly stores a refresh in place of the one with the earliest response.
func (s *sessionState) fly(in request, out result) {
	oldest := &s.twins[in.replica][0]
	for i := range s.twins[in.replica] {
		if t := &s.twins[in.replica][i]; t.ret < oldest.ret {
			oldest = t
		}
	}
	*oldest = twin{token: in.token, successor: s.current, ret: out.ret}
}

func (s *sessionState) sharesResponse(in request, out result) bool {
	return slices.ContainsFunc(s.twins[in.replica][:], func(t twin) bool {
		return t.token == in.token && in.call <= t.ret && (t.successor == out.token || t.successor == unknownToken)
	})
}

// end ends the session; each replica may admit it until late.
func (s *sessionState) end(over int64, late lateness) {
	s.ended, s.endedBy = true, over
	for r := range s.admits {
		s.admits[r] = late(r, over)
	}
}

// admitted reports whether a token of the session may have been accepted.
func (s *sessionState) admitted(in request) bool { return !s.ended || in.call <= s.admits[in.replica] }

// refuses records that a replica knows of the end from ret on, and reports whether the session
// has ended.
func (s *sessionState) refuses(replica int, ret int64) bool {
	if s.ended {
		s.admits[replica] = min(s.admits[replica], ret)
	}
	return s.ended
}

func (s *sessionState) check(in request, out result) bool {
	switch out.outcome {
	case done:
		return s.admitted(in)
	case revoked:
		return s.refuses(in.replica, out.ret)
	default:
		return false
	}
}

// logout ends one session or all, if the access token is admitted. The replica that carried it
// out refuses the sessions from its response on.
func (u userState) logout(s *sessionState, in request, out result, late lateness) bool {
	switch {
	case out.outcome == revoked:
		return s.refuses(in.replica, out.ret)
	case out.outcome == reused, out.outcome == done && !s.admitted(in):
		return false
	}
	for i := range u {
		if e := &u[i]; !e.ended && (in.op == opLogoutAll || e == s) {
			e.end(out.ret, late)
			e.admits[in.replica] = out.ret
		}
	}
	return true
}

// outcomeOf reads a reply. ok is false for an outcome that the specification does not have.
func outcomeOf(op operation, r reply) (out outcome, ok bool) {
	yes := http.StatusOK
	if op == opLogout || op == opLogoutAll {
		yes = http.StatusNoContent
	}
	switch {
	case !r.received():
		return unknown, true
	case r.status == yes:
		return done, true
	case r.status == http.StatusUnauthorized && r.code() == "session_revoked":
		return revoked, true
	case r.status == http.StatusUnauthorized && r.code() == "refresh_reused":
		return reused, true
	default:
		return unknown, false
	}
}
