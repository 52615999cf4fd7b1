package browser

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/web"
)

const (
	// pollTime is how long a browser waits for a change: proxies end requests that take a
	// minute.
	pollTime = 25 * time.Second
	// pollStep is the interval of reads from the store in that time.
	pollStep = 500 * time.Millisecond
	// maxPolls is how many browsers of a site may wait: each of them reads the store twice a
	// second. Beyond that, a browser gets the state at once, and its page polls again after a
	// second.
	maxPolls = 1000

	paramKnown = "known"
)

// The calls of one scan, below its name.
const (
	callRequest = "request"
	callFinish  = "finish"
)

type scanResponse struct {
	Scan      string `json:"scan"`
	Image     string `json:"image"` // a data: URI
	Number    string `json:"number"`
	ExpiresIn int64  `json:"expires_in"` // seconds
}

// NewScan is POST {prefix}/web/scan: a code for the browser to show.
func (s *Site) NewScan(c *Call) error {
	if err := s.sameOrigin(c.R.Header); err != nil {
		return err
	}
	leave, err := c.Host.AdmitScan()
	if err != nil {
		return err
	}
	defer leave()
	client, err := c.platform(s.config.Scan.App)
	if err != nil {
		return err
	}
	browser := c.Cookies.scan
	if !browser.Valid() {
		browser = web.NewBrowserKey()
	}
	asker := web.Asker{Agent: agentOf(c.R.Header), Address: maskAddress(c.Address), Place: s.place(c)}
	name, number, err := c.Web.NewScan(c.R.Context(), s.config.Scan.App, browser, asker)
	if err != nil {
		return err
	}
	image, mediaType, err := client.MiniProgramCode(c.R.Context(), name, s.config.Scan.Page)
	if err != nil {
		return c.Host.OfApp(s.config.Scan.App, err)
	}
	s.set(c.W, s.cookies.scan, string(browser), scanCookieLife)
	return c.Host.Respond(scanResponse{name, "data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(image), number, int64(web.ScanLife.Seconds())})
}

// maxPlaceBytes bounds the text of a place that a phone shows.
const maxPlaceBytes = 128

// place returns where the browser seems to be, as configured by the operator.
func (s *Site) place(c *Call) string {
	place := strings.ToValidUTF8(c.Host.Expand(s.config.Scan.Place), "")
	place = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, place)
	if len(place) > maxPlaceBytes {
		return ""
	}
	return place
}

// scanCookieLife is the lifetime of the cookie of a scan.
const scanCookieLife = 10 * time.Minute

type stateResponse struct {
	State web.ScanState `json:"state"`
}

// scanCall is one call about a scan.
type scanCall struct {
	name, method string
	serve        func(*Site, *Call, string) error
}

// scanCalls are the calls below a scan.
var scanCalls = []scanCall{
	{"", http.MethodGet, (*Site).poll},
	{"", http.MethodPost, (*Site).decideScan},
	{callRequest, http.MethodGet, (*Site).openScan},
	{callFinish, http.MethodPost, (*Site).finish},
}

// Scan serves the calls {prefix}/web/scan/{scan}.
func (s *Site) Scan(c *Call) error {
	name, call, _ := strings.Cut(strings.TrimPrefix(c.R.URL.Path, s.calls+pathScan+"/"), "/")
	var allowed []string
	for _, known := range scanCalls {
		switch {
		case known.name != call:
		case known.method == c.R.Method:
			return known.serve(s, c, name)
		default:
			allowed = append(allowed, known.method)
		}
	}
	if len(allowed) == 0 {
		return auth.ErrScanNotFound
	}
	methods := strings.Join(allowed, ", ")
	c.W.Header().Set("Allow", methods)
	return problem.MethodNotAllowed("Use %s.", methods)
}

// poll waits until the browser's scan has another state than the one that the browser knows.
func (s *Site) poll(c *Call, name string) error {
	known, err := parameter(c.R, paramKnown)
	if err != nil {
		return err
	}
	if known == "" {
		known = string(web.ScanWaiting)
	}
	wait := pollTime
	if s.polls.Add(1) > maxPolls {
		wait = 0
	}
	defer s.polls.Add(-1)
	ctx, cancel := context.WithTimeout(c.R.Context(), wait)
	defer cancel()
	ticks := time.NewTicker(pollStep)
	defer ticks.Stop()
	for {
		state, err := c.Web.ScanState(c.R.Context(), name, c.Cookies.scan)
		if err != nil {
			return err
		}
		if string(state) != known || state.Final() || c.Host.Leaving() {
			return c.Host.Respond(stateResponse{state})
		}
		select {
		case <-ctx.Done():
			return c.Host.Respond(stateResponse{state})
		case <-ticks.C:
		}
	}
}

// finish is the browser's login after the phone confirmed.
func (s *Site) finish(c *Call, name string) error {
	if err := s.sameOrigin(c.R.Header); err != nil {
		return err
	}
	opened, err := c.Web.Finish(c.R.Context(), name, c.Cookies.scan, c.client().Device)
	if err != nil {
		return err // not audited: any client can request scans of others
	}
	c.Host.Began(s.config.Scan.App, auth.DoorScan, opened, nil)
	s.begin(c, opened)
	s.set(c.W, s.cookies.scan, "", -1)
	return c.done()
}

type requestResponse struct {
	Browser   string `json:"browser"`
	Address   string `json:"address"`
	Place     string `json:"place,omitzero"`
	ExpiresIn int64  `json:"expires_in"` // seconds
}

// openScan returns to the phone which browser wants to sign in.
func (s *Site) openScan(c *Call, name string) error {
	phone, err := c.Host.Bearer()
	if err != nil {
		return err
	}
	scan, err := c.Web.OpenScan(c.R.Context(), name, phone)
	if err != nil {
		return err
	}
	return c.Host.Respond(requestResponse{scan.Agent, scan.Address, scan.Place, max(0, int64(time.Until(scan.Until).Seconds()))})
}

type decision struct {
	Confirm *bool  `json:"confirm"`
	Number  string `json:"number"`
}

// decideScan stores the phone's decision.
func (s *Site) decideScan(c *Call, name string) error {
	phone, err := c.Host.Bearer()
	if err != nil {
		return err
	}
	var in decision
	if err := problem.ReadJSON(c.W, c.R, &in); err != nil {
		return err
	}
	switch {
	case in.Confirm == nil:
		return problem.BadRequest("Send confirm: true with the number that the browser shows, or confirm: false.")
	case *in.Confirm:
		if err := c.Web.ConfirmScan(c.R.Context(), name, in.Number, phone); err != nil {
			return err
		}
		return c.Host.Respond(stateResponse{web.ScanConfirmed})
	}
	if err := c.Web.RefuseScan(c.R.Context(), name, phone); err != nil {
		return err
	}
	return c.Host.Respond(stateResponse{web.ScanRefused})
}
