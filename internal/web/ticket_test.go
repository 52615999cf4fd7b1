package web_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/web"
)

func TestTickets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := &s.phone("alice").Identity
		newTicket := func() string {
			t.Helper()
			text, err := s.web.NewTicket(t.Context(), phone, onPhone)
			s.must(err)
			return text
		}
		text := newTicket()
		for name, guess := range map[string]string{
			"empty": "", "the prefix": "wxt_", "a guess": "wxt_" + strings.Repeat("A", 43), "without the prefix": text[4:], "short": text[:len(text)-1], "long": text + "A",
			"in upper case": strings.ToUpper(text), "a cookie": plainCookie('a'),
		} {
			_, err := s.enter(guess)
			s.want(name, err, web.ErrTicket)
		}
		ticket, err := s.web.Ticket(t.Context(), text)
		s.must(err)
		if ticket.User != phone.User || ticket.From != onPhone {
			t.Errorf("the ticket is %+v", ticket)
		}
		_, err = s.enter(text)
		s.want("reading does not spend it", err, nil)
		_, err = s.enter(text)
		s.want("spent again", err, web.ErrTicket)
		_, err = s.web.Enter(t.Context(), ticket, auth.DeviceIOS)
		s.want("spent again, read before", err, web.ErrTicket)

		late := newTicket()
		time.Sleep(web.TicketLife - time.Second)
		_, err = s.web.Ticket(t.Context(), late)
		s.want("a second before its end", err, nil)
		time.Sleep(time.Second)
		_, err = s.enter(late)
		s.want("expired", err, web.ErrTicket)

		_, err = s.web.NewTicket(t.Context(), &auth.Identity{User: phone.User, Session: phone.Session, Browser: true}, onPhone)
		s.want("for a browser", err, auth.ErrForbidden)

		down := newTicket()
		s.store.failing.Store(true)
		_, err = s.enter(down)
		s.want("while the store is down", err, auth.ErrStoreUnavailable)
		s.store.failing.Store(false)

		for name, all := range map[string]bool{"after a logout": false, "after a logout of all": true} {
			phone = &s.phone("alice").Identity
			text = newTicket()
			s.must(s.sessions.Logout(t.Context(), phone, all))
			_, err = s.enter(text)
			s.want(name, err, web.ErrTicket)
			if errors.Is(err, auth.ErrSessionRevoked) {
				t.Errorf("%s: %v has two classes", name, err)
			}
		}
	})
}

// TestTicketIsSpentOnce: of several browsers, on two machines, one can spend a ticket.
func TestTicketIsSpentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, options{})
		phone := s.phone("alice")
		machines := []*web.Service{s.web, s.machine()}
		text, err := s.web.NewTicket(t.Context(), &phone.Identity, onPhone)
		s.must(err)
		var running sync.WaitGroup
		var opened atomic.Int64
		for i := range 16 {
			running.Go(func() {
				ticket, err := machines[i%2].Ticket(t.Context(), text)
				if err == nil {
					_, err = machines[i%2].Enter(t.Context(), ticket, auth.DeviceIOS)
				}
				if err == nil {
					opened.Add(1)
				} else {
					s.want("enter", err, web.ErrTicket)
				}
			})
		}
		running.Wait()
		if opened.Load() != 1 {
			t.Errorf("%d sessions began", opened.Load())
		}
	})
}

func TestTicketFits(t *testing.T) {
	t.Parallel()
	alice, mallory := auth.User{App: miniProgram, OpenID: "alice"}, auth.User{App: miniProgram, OpenID: "mallory"}
	ticket := &web.Ticket{User: mallory, From: onPhone}
	for name, test := range map[string]struct {
		from    web.Client
		present *auth.Identity
		want    bool
	}{
		"the ticket's phone":          {onPhone, nil, true},
		"the ticket's phone and user": {onPhone, &auth.Identity{User: mallory}, true},
		"another user":                {onPhone, &auth.Identity{User: alice}, false},
		"same openid, another app":    {onPhone, &auth.Identity{User: auth.User{App: official, OpenID: "mallory"}}, false},
		"another address":             {web.Client{Device: onPhone.Device, Address: "192.0.2.2"}, nil, false},
		"another device":              {web.Client{Device: auth.DeviceAndroid, Address: onPhone.Address}, nil, false},
		"nothing known":               {web.Client{}, nil, false},
	} {
		if got := ticket.Fits(test.from, test.present); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
