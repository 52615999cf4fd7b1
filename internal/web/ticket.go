package web

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// TicketLife is how long a ticket is valid: long enough for a web-view to open.
	TicketLife = time.Minute
	// ticketPrefix lets secret scanners find a leaked ticket.
	ticketPrefix = "wxt_"
	ticketBytes  = 32
	ticketChars  = 43 // of ticketBytes in base64url
)

// ErrTicket means that a ticket does not exist, is expired or was used, or that its session has
// ended.
var ErrTicket = auth.ErrTicketInvalid

// Ticket transfers the login of a mini program to a web-view.
type Ticket struct {
	Session auth.SessionID `json:"s"` // of the mini program
	User    auth.User      `json:"u"`
	Phone   string         `json:"p,omitempty"`
	From    Client         `json:"f"`

	text   string
	stored []byte
}

// NewTicket returns a ticket for the bearer of a mini program's token. It is valid for one
// browser session, within [TicketLife].
func (s *Service) NewTicket(ctx context.Context, id *auth.Identity, from Client) (string, error) {
	if id.Browser {
		return "", fmt.Errorf("%w: a ticket of a browser session", auth.ErrForbidden)
	}
	text := ticketPrefix + randomText(ticketBytes)
	ticket := Ticket{Session: id.Session, User: id.User, Phone: id.Phone, From: from}
	return text, s.add(ctx, purposeTicket, text, &ticket, s.cfg.Now().Add(TicketLife))
}

// Ticket returns a ticket without spending it: [ErrTicket].
func (s *Service) Ticket(ctx context.Context, text string) (*Ticket, error) {
	body, ok := strings.CutPrefix(text, ticketPrefix)
	if !ok || len(body) != ticketChars {
		return nil, fmt.Errorf("%w: not a ticket", ErrTicket)
	}
	ticket := &Ticket{text: text}
	var err error
	if ticket.stored, err = s.read(ctx, purposeTicket, text, ticket); err != nil {
		return nil, gone(ErrTicket, err)
	}
	return ticket, nil
}

// Fits reports whether a browser may spend the ticket without asking the user: it seems to be on
// the ticket's phone, and no other user is logged in. This stops an attacker who sends a victim
// the link of their own ticket, so that the victim uses the attacker's account.
func (t *Ticket) Fits(from Client, present *auth.Identity) bool {
	return t.From == from && (present == nil || present.User == t.User)
}

// Enter spends a ticket and begins a session, which ends with the mini program's session:
// [ErrTicket].
func (s *Service) Enter(ctx context.Context, t *Ticket, device auth.Device) (*Opened, error) {
	if err := s.remove(ctx, purposeTicket, t.text, t.stored); err != nil {
		return nil, gone(ErrTicket, err)
	}
	opened, err := s.derive(ctx, t.Session, t.Session, auth.DoorWebView, device)
	return opened, gone(ErrTicket, err)
}

// gone adds a class to an error which means that something has ended.
func gone(class, err error) error {
	switch {
	case errors.Is(err, ErrNoRecord), errors.Is(err, ErrRecordChanged):
		return fmt.Errorf("%w: %w", class, err)
	case errors.Is(err, auth.ErrSessionRevoked), errors.Is(err, auth.ErrSessionReplaced):
		// Wrapping err would report that the session of the request has ended.
		return fmt.Errorf("%w: %v", class, err) //nolint:errorlint // see above
	}
	return err
}
