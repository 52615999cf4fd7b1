package browser

import (
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway/browser/page"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/web"
)

var (
	errNoDoor = problem.Forbidden("Open this page from the mini program: the page has no separate login.")
	errDoor   = problem.BadRequest("door must be official, website or scan, and the site must have it.")
	// errDeclined is the error if WeChat returns without a code.
	errDeclined = problem.Forbidden("The login was declined in WeChat. Log in again when you want to go on.")
)

// Login is GET {prefix}/web/login: it redirects the browser to a door.
func (s *Site) Login(c *Call) error {
	back, err := s.back(c)
	if err != nil {
		return err
	}
	name, err := parameter(c.R, paramDoor)
	if err != nil {
		return err
	}
	door, err := s.pick(name, insideWeChat(c.R.Header))
	if err != nil {
		return err
	}
	if door == auth.DoorScan {
		return s.config.Pages.Scan(c.W, c.R, page.Scan{API: s.calls + pathScan, Return: back, Website: s.otherDoor(back)})
	}
	return s.toWeChat(c, door, back)
}

// back returns the URL of the parameter return.
func (s *Site) back(c *Call) (string, error) {
	text, err := parameter(c.R, paramReturn)
	if err != nil {
		return "", err
	}
	return s.target(text)
}

// pick returns the door with a name, or by default the door that fits the browser.
func (s *Site) pick(name string, inWeChat bool) (auth.Door, error) {
	has := map[auth.Door]bool{
		auth.DoorOfficial: s.config.Official.App != "", auth.DoorScan: s.config.Scan.App != "", auth.DoorWebsite: s.config.Website != "",
	}
	if name != "" {
		for door, there := range has {
			if there && door.String() == name {
				return door, nil
			}
		}
		return 0, errDoor
	}
	order := []auth.Door{auth.DoorScan, auth.DoorWebsite}
	if inWeChat {
		order = append([]auth.Door{auth.DoorOfficial}, order...)
	}
	for _, door := range order {
		if has[door] {
			return door, nil
		}
	}
	return 0, errNoDoor
}

// otherDoor returns the path of the login with WeChat's QR code; "" if the site has none.
func (s *Site) otherDoor(back string) string {
	if s.config.Website == "" {
		return ""
	}
	return s.loginPath(back) + "&" + paramDoor + "=" + auth.DoorWebsite.String()
}

// toWeChat redirects the browser to WeChat, with a state that only this browser can use.
func (s *Site) toWeChat(c *Call, door auth.Door, back string) error {
	app := s.appOf(door)
	client, err := c.platform(app)
	if err != nil {
		return err
	}
	state, sealed, err := c.Web.NewState(web.State{App: app, Door: door, Return: back})
	if err != nil {
		return err
	}
	if err := s.setLogin(c, state, sealed); err != nil {
		return err
	}
	return redirect(c.W, client.AuthorizeURL(s.origin+s.calls+pathCallback, s.scope(door), state))
}

// Callback is GET {prefix}/web/callback: WeChat's return with a code.
func (s *Site) Callback(c *Call) error {
	state, err := parameter(c.R, paramState)
	if err != nil {
		return err
	}
	login, err := c.Web.OpenState(state, s.login(&c.Cookies, state))
	if err != nil {
		return err
	}
	s.set(c.W, s.loginName(state), "", -1)
	if login.App != s.appOf(login.Door) {
		return fmt.Errorf("%w: the site no longer has app %s at this door", auth.ErrLoginState, login.App)
	}
	code, err := parameter(c.R, paramCode)
	if err != nil {
		return err
	}
	if code == "" {
		return errDeclined
	}
	opened, err := s.exchange(c, state, login, code)
	if err != nil {
		return err
	}
	s.begin(c, opened)
	return redirect(c.W, login.Return)
}

// exchange verifies the state and spends the code.
func (s *Site) exchange(c *Call, state string, login web.State, code string) (*web.Opened, error) {
	leave, err := c.Host.AdmitLogin()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := c.Web.SpendState(c.R.Context(), state, login); err != nil {
		return nil, err
	}
	opened, err := c.Web.Login(c.R.Context(), login.Door, login.App, code, c.client().Device)
	c.Host.Began(login.App, login.Door, opened, err)
	return opened, c.Host.OfApp(login.App, err)
}

// Retry returns the path that begins a login again after a failure; "" if there is none. The
// parameter return of the failed request is kept if it is valid.
func (s *Site) Retry(c *Call) string {
	if len(s.Apps()) == 0 {
		return ""
	}
	back, err := s.back(c)
	if err != nil {
		back = s.origin + "/"
	}
	if state, err := parameter(c.R, paramState); err == nil && c.Web != nil {
		if login, err := c.Web.OpenState(state, s.login(&c.Cookies, state)); err == nil {
			back = login.Return
		}
	}
	return s.loginPath(back)
}
