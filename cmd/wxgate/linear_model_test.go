package main_test

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"slices"

	"github.com/anishathalye/porcupine"
)

// What follows is the sessions of one user as one machine would have them: the
// sequential specification that porcupine holds a concurrent history against.
// Logins, refreshes and logouts are linearizable whichever replica carries them
// out. What is not is the knowledge of an end: a replica may admit a session's
// access tokens for a while after, and that, too, is stated here and not left out.
//
// Tokens and sessions are numbers that the recorder gave them; times are
// nanoseconds since the recording began.

// operation is what a client asks for.
type operation int

const (
	opLogin operation = iota
	opRefresh
	opCheck // an access token is presented to the business service
	opLogout
	opLogoutAll
)

// asked is the input of one operation.
type asked struct {
	op      operation
	user    int
	replica int
	session int // that the presented token is of; for a login the one that it began
	token   int // the refresh token that a refresh presents
	call    int64
}

// outcome is what became of it.
type outcome int

const (
	unknown outcome = iota // no answer: it happened, or will, or never
	done
	revoked // 401 session_revoked
	reused  // 401 refresh_reused
)

// told is the output of one operation.
type told struct {
	outcome outcome
	token   int // the refresh token that a login or a refresh yielded
	ret     int64
}

const (
	never   = int64(math.MaxInt64) // when what is not answered returns
	nobodys = -1                   // the token that an unanswered refresh yielded
)

// twin is a refresh that a replica has carried out: whoever presents the same token
// to the same replica before that was answered shares the answer, whatever became of
// the session meanwhile.
type twin struct {
	token, successor int
	ret              int64
}

// sessionState is one session. It is comparable.
type sessionState struct {
	id                int
	current, previous int // refresh tokens; 0: there is none before the first
	ended             bool
	endedBy           int64                      // when what ended it was answered
	reused            int                        // the token whose reuse ended it; 0: none did
	admits            [replicas]int64            // until when each replica may admit it
	twins             [replicas][phonesEach]twin // there are no more under way at once
}

// userState is the sessions of a user, by their number.
type userState []sessionState

// lateness says until when a replica may admit a session whose end was answered.
type lateness func(replica int, over int64) int64

// linearModel is the specification.
func linearModel(late lateness) porcupine.Model {
	seed := maphash.MakeSeed()
	return porcupine.Model{
		Partition: partitionByUser,
		Init:      func() any { return userState(nil) },
		Step: func(state, input, output any) (bool, any) {
			return state.(userState).step(input.(asked), output.(told), late)
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
		user := op.Input.(asked).user
		parts[user] = append(parts[user], op)
	}
	var out [][]porcupine.Operation
	for _, part := range parts {
		out = append(out, part)
	}
	return out
}

func describe(input, output any) string {
	in, out := input.(asked), output.(told)
	what := [...]string{"login", "refresh", "check", "logout", "logout of all"}[in.op]
	became := [...]string{"?", "ok", "revoked", "reused"}[out.outcome]
	return fmt.Sprintf("%s of session %d with token %d at replica %d: %s %d", what, in.session, in.token, in.replica, became, out.token)
}

// step says whether an operation may have had that outcome in this state, and
// what comes of it. It changes nothing: states are shared.
func (u userState) step(in asked, out told, late lateness) (bool, userState) {
	if in.op == opLogin { // one without an answer begins a session that nobody knows
		return true, append(slices.Clone(u), sessionState{id: in.session, current: out.token}).sorted()
	}
	i := slices.IndexFunc(u, func(s sessionState) bool { return s.id == in.session })
	if i < 0 {
		return false, u // nobody can have its token yet
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

// refresh is the life of a refresh token: the current one is spent, the one before
// yields its successor again for a while, and any other ends the session.
func (s *sessionState) refresh(in asked, out told, late lateness) bool {
	switch {
	case out.outcome == done && s.sharesAnswer(in, out):
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

func (s *sessionState) rotate(in asked, out told) bool {
	switch out.outcome {
	case done:
		if out.token == s.current || out.token == s.previous {
			return false
		}
		s.current = out.token
	case unknown:
		s.current = nobodys
	default:
		return false
	}
	s.previous = in.token
	s.fly(in, out)
	return true
}

// replay is the token before the current one, presented within its grace and not
// too often; see [phone.refresh].
func (s *sessionState) replay(in asked, out told) bool {
	switch out.outcome {
	case unknown:
		return true
	case done:
		if s.current != out.token && s.current != nobodys {
			return false // a second successor
		}
		s.current = out.token
		s.fly(in, out)
		return true
	default:
		return false
	}
}

// fly remembers a refresh, in place of the one that was answered first.
func (s *sessionState) fly(in asked, out told) {
	oldest := &s.twins[in.replica][0]
	for i := range s.twins[in.replica] {
		if t := &s.twins[in.replica][i]; t.ret < oldest.ret {
			oldest = t
		}
	}
	*oldest = twin{token: in.token, successor: s.current, ret: out.ret}
}

func (s *sessionState) sharesAnswer(in asked, out told) bool {
	return slices.ContainsFunc(s.twins[in.replica][:], func(t twin) bool {
		return t.token == in.token && in.call <= t.ret && (t.successor == out.token || t.successor == nobodys)
	})
}

// end has replicas learn of it until late.
func (s *sessionState) end(answered int64, late lateness) {
	s.ended, s.endedBy = true, answered
	for r := range s.admits {
		s.admits[r] = late(r, answered)
	}
}

// admitted reports whether a token of the session may have been accepted.
func (s *sessionState) admitted(in asked) bool { return !s.ended || in.call <= s.admits[in.replica] }

// refuses takes note that a replica knows of the end from ret on: it never
// forgets.
func (s *sessionState) refuses(replica int, ret int64) bool {
	if s.ended {
		s.admits[replica] = min(s.admits[replica], ret)
	}
	return s.ended
}

func (s *sessionState) check(in asked, out told) bool {
	switch out.outcome {
	case done:
		return s.admitted(in)
	case revoked:
		return s.refuses(in.replica, out.ret)
	default:
		return false
	}
}

// logout ends one session or all, if the access token that asks for it is
// admitted. The replica that did it knows of it with its answer.
func (u userState) logout(s *sessionState, in asked, out told, late lateness) bool {
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

// outcomeOf reads a reply; ok is false for one that no model allows.
func outcomeOf(op operation, r reply) (out outcome, ok bool) {
	yes := http.StatusOK
	if op == opLogout || op == opLogoutAll {
		yes = http.StatusNoContent
	}
	switch {
	case !r.answered():
		return unknown, true
	case r.status == yes:
		return done, true
	case r.status == http.StatusUnauthorized && r.word() == "session_revoked":
		return revoked, true
	case r.status == http.StatusUnauthorized && r.word() == "refresh_reused":
		return reused, true
	default:
		return unknown, false
	}
}
