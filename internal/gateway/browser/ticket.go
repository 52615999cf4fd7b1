package browser

import (
	"fmt"
	"net/http"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
	"github.com/wxgate/wxgate/internal/web"
)

type ticketResponse struct {
	Ticket    string `json:"ticket"`
	URL       string `json:"url"`
	ExpiresIn int64  `json:"expires_in"` // seconds
}

// Ticket is POST {prefix}/web/ticket: a login for a web-view of the bearer's mini program.
func (s *Site) Ticket(c *Call) error {
	id, err := c.Host.Bearer()
	if err != nil {
		return err
	}
	if err := c.Host.AdmitTicket(id.User); err != nil {
		return err
	}
	ticket, err := c.Web.NewTicket(c.R.Context(), id, c.client())
	if err != nil {
		return err
	}
	return c.Host.Respond(ticketResponse{ticket, s.origin + s.calls + pathEnter + "?" + paramTicket + "=" + ticket, int64(web.TicketLife.Seconds())})
}

// Enter is GET and POST {prefix}/web/enter: a web-view spends a ticket. If the browser may
// belong to another user than the ticket, it gets a page that asks for confirmation with a
// POST.
func (s *Site) Enter(c *Call) error {
	if c.R.Method == http.MethodPost {
		return s.enterAsked(c)
	}
	if err := checkDocument(c.R); err != nil {
		return err
	}
	back, err := s.back(c)
	if err != nil {
		return err
	}
	text, err := parameter(c.R, paramTicket)
	if err != nil {
		return err
	}
	ticket, err := readTicket(c, text)
	if err != nil {
		return err
	}
	present, err := c.Host.Present()
	if err != nil {
		return err
	}
	if !ticket.Fits(c.client(), present) || sentByPage(c.R.Header) {
		return s.config.Pages.Continue(c.W, c.R, page.Continue{Action: s.calls + pathEnter, Ticket: text, Return: back, Name: nameOf(ticket)})
	}
	return s.enter(c, ticket, back)
}

// enterAsked is the POST of the confirmation page. Another site cannot send it, so the user
// must click, on a page that no other page can frame.
func (s *Site) enterAsked(c *Call) error {
	if err := s.sameOrigin(c.R.Header); err != nil {
		return err
	}
	form, err := readForm(c)
	if err != nil {
		return err
	}
	back, err := s.target(form.Get(paramReturn))
	if err != nil {
		return err
	}
	ticket, err := readTicket(c, form.Get(paramTicket))
	if err != nil {
		return err
	}
	return s.enter(c, ticket, back)
}

// readTicket refuses a ticket of an app that this site does not admit. Otherwise a ticket of
// another site would end the browser's session on this site.
func readTicket(c *Call, text string) (*web.Ticket, error) {
	ticket, err := c.Web.Ticket(c.R.Context(), text)
	if err == nil && !c.Host.Admits(ticket.User.App) {
		err = fmt.Errorf("%w: it is of app %s, which this site does not admit", auth.ErrTicketInvalid, ticket.User.App)
	}
	return ticket, err
}

func (s *Site) enter(c *Call, ticket *web.Ticket, back string) error {
	opened, err := c.Web.Enter(c.R.Context(), ticket, c.client().Device)
	c.Host.Began(ticket.User.App, auth.DoorWebView, opened, err)
	if err != nil {
		return err
	}
	s.begin(c, opened)
	return redirect(c.W, back)
}

// nameOf returns a text by which only the user recognizes their account.
func nameOf(t *web.Ticket) string {
	if phone := maskPhone(t.Phone); phone != "" {
		return phone
	}
	openid := string(t.User.OpenID)
	const shown = 4
	return "…" + openid[max(0, len(openid)-shown):]
}

// Logout is POST {prefix}/web/logout. Without a session it only deletes the cookie.
func (s *Site) Logout(c *Call) error {
	if err := s.sameOrigin(c.R.Header); err != nil {
		return err
	}
	id, err := c.Host.Present()
	if id != nil {
		err = c.Host.End(id)
	}
	if err != nil { // the session may still be valid: the user must not believe that it ended
		return err
	}
	s.Forget(c.W)
	return c.done()
}
