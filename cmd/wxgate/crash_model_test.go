package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// This file is the model: what a client may expect, derived only from the responses that it
// received. It uses no code of wxgate. A request without a response may have been carried out
// or not. The first response after it shows which, and later responses must agree.

// fate is what the client knows about the end of a session.
type fate int

const (
	alive  fate = iota
	unsure      // a request to end it had no response
	ended
)

const (
	grace      = 20 * time.Second // the token before the current one yields its successor
	maxReplays = 5
	maxRetry   = 4 * time.Second // a client's longest wait before a retry
	keptAccess = 4               // access tokens of a session that the model keeps
)

// everywhere is one "log out everywhere" without a response. It ended all of the user's
// sessions or none.
type everywhere struct{ spared, hit bool }

func (e *everywhere) saw(f fate) error {
	if e == nil {
		return nil
	}
	e.spared = e.spared || f == alive
	e.hit = e.hit || f == ended
	if e.spared && e.hit {
		return errors.New("half a logout: some of the user's sessions ended and some did not")
	}
	return nil
}

// session is one login as its client knows it.
type session struct {
	fate  fate
	doubt *everywhere // the logout that made it unsure, if it concerns other sessions too
	over  time.Time   // when it was known to have ended
	why   string      // the response that showed it

	// late returns until when a replica may admit the tokens of a session that ended at over.
	// It is nil with one gateway, which must refuse them at once. With replicas, the clients
	// follow docs/sessions.md and must never lose a session.
	late func(replica *gateway, over time.Time) time.Time

	refresh    string    // the last refresh token that was received
	spent      time.Time // when a request without a response may have spent it; zero: none did
	unanswered int       // the number of such requests
	again      time.Time // when the client tries again

	previous string    // the refresh token before it
	rotated  time.Time // the earliest time at which previous may have been spent
	replays  int       // how often previous may have been presented again

	access []string
	phone  bool // the gateway responded that a phone number is verified
}

// pair is the response to a login or a refresh.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (r reply) pair() (pair, error) {
	var p pair
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		return p, fmt.Errorf("unreadable response %q: %w", r.body, err)
	}
	if p.Access == "" || p.Refresh == "" {
		return p, fmt.Errorf("no pair in %q", r.body)
	}
	return p, nil
}

// code returns the code of a problem.
func (r reply) code() string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal([]byte(r.body), &p)
	return p.Code
}

func (r reply) unexpected() error { return fmt.Errorf("unexpected response %d %s", r.status, r.body) }

// lives records that the session is alive.
func (s *session) lives() error {
	switch s.fate {
	case ended:
		return fmt.Errorf("a session is alive that had ended: %s", s.why)
	case unsure:
		doubt := s.doubt
		s.fate, s.doubt = alive, nil
		return doubt.saw(alive)
	default:
		return nil
	}
}

// repairWithin is for an end that was not confirmed to a client: a logout returned 503, one
// replica received the revocation, and a failover lost it. The replica writes it to Redis
// again, within two seconds after it noticed that the revocation is missing.
const repairWithin = 3 * time.Second

// isOver records that the gateway responded that the session has ended.
func (s *session) isOver(r reply) error {
	switch s.fate {
	case alive:
		return errors.New("a session has ended, but no request ended it")
	case unsure:
		doubt := s.doubt
		s.end(r)
		s.over = s.over.Add(repairWithin)
		return doubt.saw(ended)
	default:
		return nil
	}
}

// admitted records that an access token of the session was admitted. With several replicas,
// this is an error only if it is too late, because a replica may not have received the
// revocation yet.
func (s *session) admitted(r reply) error {
	if s.late == nil {
		return s.lives()
	}
	if late := r.sent.Sub(s.late(r.from, s.over)); s.fate == ended && late > 0 {
		return fmt.Errorf("a token was admitted %v after its session had ended (%s), %v later than allowed", r.sent.Sub(s.over), s.why, late)
	}
	return nil
}

// end records a response that shows that the session has ended.
func (s *session) end(r reply) {
	if s.fate != ended {
		s.fate, s.doubt, s.over = ended, nil, r.came
		s.why = fmt.Sprintf("response %d %s", r.status, r.code())
	}
}

// mayEnd records a logout without a response.
func (s *session) mayEnd(with *everywhere) {
	switch s.fate {
	case alive:
		s.fate, s.doubt = unsure, with
	case unsure:
		s.doubt = nil // two logouts: either may have ended it
	case ended:
	}
}

func (s *session) keep(access string) {
	s.access = append(s.access, access)
	s.access = slices.Clone(s.access[max(0, len(s.access)-keptAccess):])
}

// refreshed checks the response to the current refresh token.
func (s *session) refreshed(r reply) error {
	switch {
	case r.unsent():
		return nil
	case !r.received():
		if s.spent.IsZero() {
			s.spent = r.sent
		}
		s.again = r.came.Add(min(time.Second<<s.unanswered, maxRetry))
		s.unanswered++
		return nil
	case r.status == http.StatusOK:
		return s.rotate(r)
	case r.status == http.StatusUnauthorized && r.code() == "session_revoked":
		return s.isOver(r)
	case r.status == http.StatusUnauthorized && r.code() == "refresh_reused":
		if s.mayLose() && !s.spent.IsZero() && (r.came.Sub(s.spent) > grace || s.unanswered > maxReplays) {
			s.end(r)
			return nil
		}
		return errors.New("the current refresh token was refused as reused")
	default:
		return r.unexpected()
	}
}

func (s *session) rotate(r reply) error {
	next, err := r.pair()
	if err != nil {
		return err
	}
	if next.Refresh == s.refresh || next.Refresh == s.previous {
		return errors.New("a refresh yielded a token that was spent")
	}
	s.previous, s.rotated, s.replays = s.refresh, r.sent, s.unanswered
	if !s.spent.IsZero() {
		s.rotated = s.spent
	}
	s.refresh, s.spent, s.unanswered = next.Refresh, time.Time{}, 0
	s.keep(next.Access)
	return s.lives()
}

// mayLose reports whether a token that may have been spent can be refused. With a shared store
// it cannot: the time in which the store is unreachable does not count, and the clients wait
// before they retry.
func (s *session) mayLose() bool { return s.late == nil && s.fate != ended }

// mayRefresh reports whether the session's client may refresh now: with replicas, clients wait
// longer after each request without a response.
func (s *session) mayRefresh(now time.Time) bool {
	return s.late == nil || s.spent.IsZero() || now.After(s.again)
}

// rest waits until the session's client may refresh.
func (s *session) rest() {
	if s.late != nil {
		<-time.After(time.Until(s.again))
	}
}

// mayReplay reports whether the token before the current one certainly yields the current one,
// even if the request takes long.
func (s *session) mayReplay(now time.Time) bool {
	return s.previous != "" && s.spent.IsZero() && s.replays < maxReplays && now.Sub(s.rotated) < grace/2
}

// replayed checks the response to the refresh token before the current one.
func (s *session) replayed(r reply) error {
	if r.unsent() {
		return nil
	}
	s.replays++
	switch {
	case !r.received():
		return nil
	case r.status == http.StatusOK:
		again, err := r.pair()
		if err != nil {
			return err
		}
		if again.Refresh != s.refresh {
			return errors.New("a repeated refresh yielded another successor")
		}
		s.keep(again.Access)
		return s.lives()
	case r.status == http.StatusUnauthorized && r.code() == "session_revoked":
		return s.isOver(r)
	case r.status == http.StatusUnauthorized && r.code() == "refresh_reused":
		if s.mayLose() && (r.came.Sub(s.rotated) > grace || s.replays > maxReplays) {
			s.end(r)
			return nil
		}
		return errors.New("a refresh token was refused as reused within its grace")
	default:
		return r.unexpected()
	}
}

// loggedOut checks the response to a logout of this session, with an access token whose key had
// the states of key.
func (s *session) loggedOut(r reply, key lifetime) error {
	switch {
	case r.unsent():
		return nil
	case !r.received():
		s.mayEnd(nil)
		return nil
	case r.status == http.StatusNoContent:
		err := s.admitted(r) // the token was valid until now
		s.end(r)
		return err
	default:
		return s.refused(r, key)
	}
}

// called checks the response to a request with one of the session's access tokens.
func (s *session) called(r reply, key lifetime) error {
	switch {
	case !r.received():
		return nil
	case r.status == http.StatusOK && key.before == retired:
		return errors.New("a token of a retired key was admitted")
	case r.status == http.StatusOK:
		return s.admitted(r)
	default:
		return s.refused(r, key)
	}
}

// refused checks a 401.
func (s *session) refused(r reply, key lifetime) error {
	code := r.code()
	switch {
	case r.status != http.StatusUnauthorized || code != "session_revoked" && code != "invalid_token":
		return r.unexpected()
	case !key.certain():
		return nil // the key may have been retired meanwhile
	case code == "session_revoked":
		return s.isOver(r)
	default:
		return errors.New("an access token was refused whose key signs or verifies")
	}
}
