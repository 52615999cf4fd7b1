package main_test

import (
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// The tests of the model: it accepts correct histories and detects incorrect ones.

func okPair(refresh string) reply {
	return reply{status: http.StatusOK, body: `{"access_token":"a","refresh_token":"` + refresh + `"}`, sent: t0, came: t0}
}

func denied(code string) reply {
	return reply{status: http.StatusUnauthorized, body: `{"code":"` + code + `"}`, sent: t0, came: t0}
}

func lost() reply { return reply{err: errors.New("EOF"), sent: t0, came: t0} }

// after moves a reply in time.
func (r reply) after(d time.Duration) reply {
	r.sent, r.came = r.sent.Add(d), r.came.Add(d)
	return r
}

var t0 = time.Unix(1_000_000, 0)

var (
	validKey  = lifetime{active, active}
	gone      = lifetime{retired, retired}
	ok        = reply{status: http.StatusOK, sent: t0, came: t0}
	noContent = reply{status: http.StatusNoContent, sent: t0, came: t0}
)

// inASecond returns when a replica must refuse the tokens of a session that ended at over.
func inASecond(_ *gateway, over time.Time) time.Time { return over.Add(time.Second) }

// correct are histories whose last response is correct.
var correct = map[string]func(*session) error{
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
		_ = s.loggedOut(lost(), validKey)
		return s.called(denied("session_revoked"), validKey)
	},
	"a logout that a replica has not received": func(s *session) error {
		s.late = inASecond
		_ = s.loggedOut(noContent, validKey)
		return s.called(ok.after(time.Second), validKey)
	},
}

// incorrect are histories whose last response contradicts an earlier one.
var incorrect = map[string]func(*session) error{
	"a refresh that yields the same token": func(s *session) error { return s.refreshed(okPair("one")) },
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
		_ = s.loggedOut(noContent, validKey)
		return s.called(ok, validKey)
	},
	"a logout, and a refresh after it": func(s *session) error {
		_ = s.loggedOut(noContent, validKey)
		return s.refreshed(okPair("two"))
	},
	"a session lost":              func(s *session) error { return s.called(denied("session_revoked"), validKey) },
	"a token lost":                func(s *session) error { return s.called(denied("invalid_token"), validKey) },
	"a retired key that verifies": func(s *session) error { return s.called(ok, gone) },
	"a lost logout that happened later": func(s *session) error {
		_ = s.loggedOut(lost(), validKey)
		_ = s.called(ok, validKey)
		return s.called(denied("session_revoked"), validKey)
	},
	"a lost logout that was undone": func(s *session) error {
		_ = s.loggedOut(lost(), validKey)
		_ = s.called(denied("session_revoked"), validKey)
		return s.called(ok, validKey)
	},
	"half of a logout of all": func(s *session) error {
		all, other := new(everywhere), &session{}
		s.mayEnd(all)
		other.mayEnd(all)
		_ = s.called(ok, validKey)
		return other.called(denied("session_revoked"), validKey)
	},
	"a logout, and a token admitted too late by a replica": func(s *session) error {
		s.late = inASecond
		_ = s.loggedOut(noContent, validKey)
		return s.called(ok.after(time.Second+1), validKey)
	},
	"a lost refresh, refused after an outage of the shared store": func(s *session) error {
		s.late = inASecond
		_ = s.refreshed(lost())
		return s.refreshed(denied("refresh_reused").after(grace + time.Second))
	},
	"a server error": func(s *session) error { return s.called(reply{status: http.StatusBadGateway}, validKey) },
}

// TestModel judges correct and incorrect histories.
func TestModel(t *testing.T) {
	begun := func() *session { return &session{refresh: "one", access: []string{"a"}} }
	for name, history := range correct {
		if err := history(begun()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, history := range incorrect {
		if history(begun()) == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

// TestModelOfKeys: the model detects a lost key and a retired key that is back.
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
		t.Error("a lost key was accepted")
	}
	if k = fresh(); k.listed([]listedKey{one, two}) == nil {
		t.Error("a lost next key was accepted")
	}
	k = fresh()
	k.reconfigured()
	if err := k.listed([]listedKey{one, two}); err != nil {
		t.Error("a reload may remove a next key:", err)
	}
	k = fresh()
	k.set("1", retired)
	if k.listed([]listedKey{one, two, next}) == nil {
		t.Error("a retired key that is back was accepted")
	}
	k = fresh()
	k.set("1", doubtful)
	if err := k.listed([]listedKey{two, next}); err != nil || k.keys["1"] != retired {
		t.Error("a retirement without a response that was carried out:", err)
	}
}
