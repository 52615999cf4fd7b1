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
	keptAccess = 4 // access tokens that the model remembers of a session
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

	refresh    string    // the last that was answered
	spent      time.Time // since when it may have been spent by a request without an answer; zero: it was not
	unanswered int       // how many such requests there were

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
		return errors.New("a session lives that was answered to be over")
	case unsure:
		doubt := s.doubt
		s.fate, s.doubt = alive, nil
		return doubt.saw(alive)
	default:
		return nil
	}
}

// isOver takes note that the gateway says that the session is over.
func (s *session) isOver() error {
	switch s.fate {
	case alive:
		return errors.New("a session is over that nobody ended")
	case unsure:
		doubt := s.doubt
		s.fate, s.doubt = ended, nil
		return doubt.saw(ended)
	default:
		return nil
	}
}

// end takes note of an answer that ended the session.
func (s *session) end() { s.fate, s.doubt = ended, nil }

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
		s.unanswered++
		return nil
	case r.status == http.StatusOK:
		return s.rotate(r)
	case r.status == http.StatusUnauthorized && r.word() == "session_revoked":
		return s.isOver()
	case r.status == http.StatusUnauthorized && r.word() == "refresh_reused":
		if !s.spent.IsZero() && (r.came.Sub(s.spent) > grace || s.unanswered > maxReplays) && s.fate != ended {
			s.end()
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
		return s.isOver()
	case r.status == http.StatusUnauthorized && r.word() == "refresh_reused":
		if (r.came.Sub(s.rotated) > grace || s.replays > maxReplays) && s.fate != ended {
			s.end()
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
		err := s.lives() // the token was good until now
		s.end()
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
		return s.lives()
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
		return s.isOver()
	default:
		return errors.New("an access token was refused whose key signs or verifies")
	}
}
