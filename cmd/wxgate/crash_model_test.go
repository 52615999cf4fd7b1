package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// What follows is the model: what one client may expect, told from the answers it
// got and from nothing else. It knows no store and no code of ours. A request
// that was not answered may have happened or not; the first answer after it
// tells which, and from then on it stays so.

// fate is what is known of a session's life.
type fate int

const (
	alive  fate = iota
	unsure      // its end was asked for and not answered
	ended
)

const (
	grace      = 20 * time.Second // the token before the current one yields its successor
	maxReplays = 5
	maxRetry   = 4 * time.Second // a client's longest wait before it asks again
	keptAccess = 4               // access tokens that the model remembers of a session
)

// everywhere is one unanswered "log out everywhere". It happened to all of the
// user's sessions or to none.
type everywhere struct{ spared, hit bool }

func (e *everywhere) saw(f fate) error {
	if e == nil {
		return nil
	}
	e.spared = e.spared || f == alive
	e.hit = e.hit || f == ended
	if e.spared && e.hit {
		return errors.New("half a logout: of a user's sessions some ended and some did not")
	}
	return nil
}

// session is one login as its client knows it.
type session struct {
	fate  fate
	doubt *everywhere // why it is unsure, when it shares that with others
	over  time.Time   // since when it is known to have ended
	why   string      // how it is known

	// late says until when a replica may admit the tokens of a session that was over
	// at a time. It is nil where there is one gateway, which may not: a session of
	// replicas has clients that do as docs/sessions.md says, and never lose it.
	late func(replica *gateway, over time.Time) time.Time

	refresh    string    // the last that was answered
	spent      time.Time // since when it may have been spent by a request without an answer; zero: it was not
	unanswered int       // how many such requests there were
	again      time.Time // when its client tries the next time

	previous string    // the refresh token before it
	rotated  time.Time // the earliest time at which it may have been spent
	replays  int       // at most so many times was it presented again

	access []string
	phone  bool // the gateway said that it knows a verified phone number
}

// pair is what a login and a refresh answer.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (r reply) pair() (pair, error) {
	var p pair
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		return p, fmt.Errorf("unreadable answer %q: %w", r.body, err)
	}
	if p.Access == "" || p.Refresh == "" {
		return p, fmt.Errorf("no pair in %q", r.body)
	}
	return p, nil
}

// word is the code of a problem.
func (r reply) word() string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal([]byte(r.body), &p)
	return p.Code
}

func (r reply) unexpected() error { return fmt.Errorf("unexpected answer %d %s", r.status, r.body) }

// lives takes note that the session was seen alive.
func (s *session) lives() error {
	switch s.fate {
	case ended:
		return fmt.Errorf("a session lives that was over: %s", s.why)
	case unsure:
		doubt := s.doubt
		s.fate, s.doubt = alive, nil
		return doubt.saw(alive)
	default:
		return nil
	}
}

// toldWithin is for an end that no client was promised: a logout that returned 503,
// which one replica received and a failover lost. A replica that knows of the end writes
// it to Redis again, within two seconds of noticing that it is missing.
const toldWithin = 3 * time.Second

// isOver takes note that the gateway says that the session is over.
func (s *session) isOver(r reply) error {
	switch s.fate {
	case alive:
		return errors.New("a session is over that nobody ended")
	case unsure:
		doubt := s.doubt
		s.end(r)
		s.over = s.over.Add(toldWithin)
		return doubt.saw(ended)
	default:
		return nil
	}
}

// admitted takes note that an access token of the session was accepted. Of several
// replicas one may not have received yet that it is over, so that an acceptance says
// nothing unless it came too late.
func (s *session) admitted(r reply) error {
	if s.late == nil {
		return s.lives()
	}
	if late := r.sent.Sub(s.late(r.from, s.over)); s.fate == ended && late > 0 {
		return fmt.Errorf("a token was admitted %v after its session was over by %s, %v later than it may", r.sent.Sub(s.over), s.why, late)
	}
	return nil
}

// end takes note of an answer that ended the session, or told that it had.
func (s *session) end(r reply) {
	if s.fate != ended {
		s.fate, s.doubt, s.over = ended, nil, r.came
		s.why = fmt.Sprintf("answer %d %s", r.status, r.word())
	}
}

// mayEnd takes note of a logout without an answer.
func (s *session) mayEnd(with *everywhere) {
	switch s.fate {
	case alive:
		s.fate, s.doubt = unsure, with
	case unsure:
		s.doubt = nil // two logouts, and no telling which
	case ended:
	}
}

func (s *session) keep(access string) {
	s.access = append(s.access, access)
	s.access = slices.Clone(s.access[max(0, len(s.access)-keptAccess):])
}

// refreshed judges the answer to the current refresh token.
func (s *session) refreshed(r reply) error {
	switch {
	case r.unsent():
		return nil
	case !r.answered():
		if s.spent.IsZero() {
			s.spent = r.sent
		}
		s.again = r.came.Add(min(time.Second<<s.unanswered, maxRetry))
		s.unanswered++
		return nil
	case r.status == http.StatusOK:
		return s.rotate(r)
	case r.status == http.StatusUnauthorized && r.word() == "session_revoked":
		return s.isOver(r)
	case r.status == http.StatusUnauthorized && r.word() == "refresh_reused":
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

// mayLose reports whether being refused with a token that may have been spent can be
// right at all. Time in which a shared store is cut off does not count, and its
// clients wait before they ask again.
func (s *session) mayLose() bool { return s.late == nil && s.fate != ended }

// mayRefresh reports whether the session's client asks now: those of replicas wait
// longer and longer for an answer that does not come.
func (s *session) mayRefresh(now time.Time) bool {
	return s.late == nil || s.spent.IsZero() || now.After(s.again)
}

// rest waits until the session's client asks again.
func (s *session) rest() {
	if s.late != nil {
		<-time.After(time.Until(s.again))
	}
}

// mayReplay reports whether the token before the current one surely yields the
// current one, answer and network included.
func (s *session) mayReplay(now time.Time) bool {
	return s.previous != "" && s.spent.IsZero() && s.replays < maxReplays && now.Sub(s.rotated) < grace/2
}

// replayed judges the answer to the refresh token before the current one.
func (s *session) replayed(r reply) error {
	if r.unsent() {
		return nil
	}
	s.replays++
	switch {
	case !r.answered():
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
	case r.status == http.StatusUnauthorized && r.word() == "session_revoked":
		return s.isOver(r)
	case r.status == http.StatusUnauthorized && r.word() == "refresh_reused":
		if s.mayLose() && (r.came.Sub(s.rotated) > grace || s.replays > maxReplays) {
			s.end(r)
			return nil
		}
		return errors.New("a refresh token was refused as reused within its grace")
	default:
		return r.unexpected()
	}
}

// loggedOut judges the answer to a logout of this session by an access token
// whose key was in that state.
func (s *session) loggedOut(r reply, key lifetime) error {
	switch {
	case r.unsent():
		return nil
	case !r.answered():
		s.mayEnd(nil)
		return nil
	case r.status == http.StatusNoContent:
		err := s.admitted(r) // the token was good until now
		s.end(r)
		return err
	default:
		return s.refused(r, key)
	}
}

// called judges the answer to a request with one of the session's access tokens.
func (s *session) called(r reply, key lifetime) error {
	switch {
	case !r.answered():
		return nil
	case r.status == http.StatusOK && key.before == retired:
		return errors.New("a token of a retired key was admitted")
	case r.status == http.StatusOK:
		return s.admitted(r)
	default:
		return s.refused(r, key)
	}
}

// refused judges a 401.
func (s *session) refused(r reply, key lifetime) error {
	word := r.word()
	switch {
	case r.status != http.StatusUnauthorized || word != "session_revoked" && word != "invalid_token":
		return r.unexpected()
	case !key.certain():
		return nil // the key may have been retired meanwhile
	case word == "session_revoked":
		return s.isOver(r)
	default:
		return errors.New("an access token was refused whose key signs or verifies")
	}
}
