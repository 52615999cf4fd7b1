package main_test

import (
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// The model itself: it accepts what may be and sees through what may not.

func okPair(refresh string) reply {
	return reply{status: http.StatusOK, body: `{"access_token":"a","refresh_token":"` + refresh + `"}`, sent: t0, came: t0}
}

func denied(word string) reply {
	return reply{status: http.StatusUnauthorized, body: `{"code":"` + word + `"}`, sent: t0, came: t0}
}

func lost() reply { return reply{err: errors.New("EOF"), sent: t0, came: t0} }

// after moves a reply in time.
func (r reply) after(d time.Duration) reply {
	r.sent, r.came = r.sent.Add(d), r.came.Add(d)
	return r
}

var t0 = time.Unix(1_000_000, 0)

var (
	whole     = lifetime{held, held}
	gone      = lifetime{retired, retired}
	ok        = reply{status: http.StatusOK, sent: t0, came: t0}
	noContent = reply{status: http.StatusNoContent, sent: t0, came: t0}
)

// inASecond is when a replica knows.
func inASecond(_ *gateway, over time.Time) time.Time { return over.Add(time.Second) }

// truths are stories whose last answer is right, whatever it says.
var truths = map[string]func(*session) error{
	"a refresh": func(s *session) error { return s.refreshed(okPair("two")) },
	"a lost refresh that happened": func(s *session) error {
		_ = s.refreshed(lost())
		return s.refreshed(okPair("two").after(time.Second))
	},
	"a lost refresh, refused after the grace": func(s *session) error {
		_ = s.refreshed(lost())
		return s.refreshed(denied("refresh_reused").after(grace + time.Second))
	},
	"a retired key": func(s *session) error { return s.called(denied("invalid_token"), gone) },
	"a lost logout that happened": func(s *session) error {
		_ = s.loggedOut(lost(), whole)
		return s.called(denied("session_revoked"), whole)
	},
	"a logout that a replica has not received": func(s *session) error {
		s.late = inASecond
		_ = s.loggedOut(noContent, whole)
		return s.called(ok.after(time.Second), whole)
	},
}

// lies are stories whose last answer contradicts one before it.
var lies = map[string]func(*session) error{
	"a refresh that yields what it was given": func(s *session) error { return s.refreshed(okPair("one")) },
	"an undone refresh": func(s *session) error {
		_ = s.refreshed(okPair("two"))
		return s.refreshed(denied("refresh_reused"))
	},
	"a lost refresh, refused within the grace": func(s *session) error {
		_ = s.refreshed(lost())
		return s.refreshed(denied("refresh_reused").after(grace))
	},
	"a refresh that was never sent, refused": func(s *session) error {
		_ = s.refreshed(reply{err: syscall.ECONNREFUSED, sent: t0, came: t0})
		return s.refreshed(denied("refresh_reused").after(grace + time.Second))
	},
	"a replay with another successor": func(s *session) error {
		_ = s.refreshed(okPair("two"))
		return s.replayed(okPair("three"))
	},
	"an undone logout": func(s *session) error {
		_ = s.loggedOut(noContent, whole)
		return s.called(ok, whole)
	},
	"a logout, and a refresh after it": func(s *session) error {
		_ = s.loggedOut(noContent, whole)
		return s.refreshed(okPair("two"))
	},
	"a session lost":              func(s *session) error { return s.called(denied("session_revoked"), whole) },
	"a token lost":                func(s *session) error { return s.called(denied("invalid_token"), whole) },
	"a retired key that verifies": func(s *session) error { return s.called(ok, gone) },
	"a lost logout that happened later": func(s *session) error {
		_ = s.loggedOut(lost(), whole)
		_ = s.called(ok, whole)
		return s.called(denied("session_revoked"), whole)
	},
	"a lost logout that was undone": func(s *session) error {
		_ = s.loggedOut(lost(), whole)
		_ = s.called(denied("session_revoked"), whole)
		return s.called(ok, whole)
	},
	"half of a logout of all": func(s *session) error {
		all, other := new(everywhere), &session{}
		s.mayEnd(all)
		other.mayEnd(all)
		_ = s.called(ok, whole)
		return other.called(denied("session_revoked"), whole)
	},
	"a logout, and a token admitted too late by a replica": func(s *session) error {
		s.late = inASecond
		_ = s.loggedOut(noContent, whole)
		return s.called(ok.after(time.Second+1), whole)
	},
	"a lost refresh, refused after an outage of the shared store": func(s *session) error {
		s.late = inASecond
		_ = s.refreshed(lost())
		return s.refreshed(denied("refresh_reused").after(grace + time.Second))
	},
	"a server error": func(s *session) error { return s.called(reply{status: http.StatusBadGateway}, whole) },
}

// TestModel has the gateway tell the truth and lie.
func TestModel(t *testing.T) {
	told := func() *session { return &session{refresh: "one", access: []string{"a"}} }
	for name, story := range truths {
		if err := story(told()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, story := range lies {
		if story(told()) == nil {
			t.Errorf("%s: was believed", name)
		}
	}
}

// TestModelOfKeys has the gateway lose a key, and bring one back.
func TestModelOfKeys(t *testing.T) {
	one, two := listedKey{ID: "1", State: "verifying"}, listedKey{ID: "2", State: "signing"}
	next := listedKey{ID: "3", State: "next"}
	fresh := func() *keyring {
		k := &keyring{keys: make(map[string]keyState)}
		if err := k.listed([]listedKey{one, two, next}); err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := fresh()
	if k.listed([]listedKey{two, next}) == nil {
		t.Error("a lost key was not missed")
	}
	if k = fresh(); k.listed([]listedKey{one, two}) == nil {
		t.Error("a lost next key was not missed")
	}
	k = fresh()
	k.reconfigured()
	if err := k.listed([]listedKey{one, two}); err != nil {
		t.Error("a reload may do away with a next key:", err)
	}
	k = fresh()
	k.set("1", retired)
	if k.listed([]listedKey{one, two, next}) == nil {
		t.Error("a retired key came back unseen")
	}
	k = fresh()
	k.set("1", doubtful)
	if err := k.listed([]listedKey{two, next}); err != nil || k.keys["1"] != retired {
		t.Error("a retirement without an answer that happened:", err)
	}
}
