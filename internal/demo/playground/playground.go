// Package playground is the page of `wxgate dev`: a phone to tap, browsers to log in with, and
// what happens then between them, gateway, WeChat and upstream, as a sequence diagram.
//
// The server plays the phone and the browsers: it calls the gateway over HTTP, so that it can
// show each request as it was sent. [Playground.Observe] records what the gateway sends to the
// simulator and to the upstream. One action runs at a time, so every hop belongs to one.
//
// The page can log in as anyone, end sessions and rotate keys. It is for this machine only:
// guard.go refuses every other host and every other web page.
package playground

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wxgate/wxgate/internal/attack/wire"
)

// App is a mini program that the phone has, or an app of a web page.
type App struct {
	ID string `json:"id"` // appid
	// Suffix distinguishes the openids of its users: a user has another one in each app.
	Suffix string `json:"-"`
}

// Config has the addresses of the parts of `wxgate dev`, as URLs without a slash at the end.
type Config struct {
	Gateway    string
	Management string // the controls of the simulator
	Admin      string // path of the Unix socket of the admin API
	WeChat     string // the API of the simulator, which has WeChat's pages too
	Apps       []App  // at least one
	WebApps    []App  // the official account and the website
	Caddyfile  string // what the gateway runs, to show
	Service    string // URL of the service of the user's that is behind the gateway; "" for the demo's
	Attacked   string // the site of [AttackSite]
	Echo       *wire.Echo
}

// users are who may hold the phone.
var users = []string{"alice", "bob", "carol"}

// unionOf returns the unionid of a user.
func unionOf(user string) string { return "union-" + user }

// User is a user of an app, as the simulator must know it.
type User struct{ App, OpenID, Name, UnionID string }

// Users returns the users of all apps. The simulator must know them before the first login, so
// that a user is the same person at every door.
func (p *Playground) Users() (all []User) {
	for _, app := range slices.Concat(p.config.Apps, p.config.WebApps) {
		for _, user := range users {
			all = append(all, User{app.ID, user + app.Suffix, user, unionOf(user)})
		}
	}
	return all
}

// Playground is the page's server. Close it.
type Playground struct {
	config   Config
	recorder *recorder
	phone    *http.Client
	browser  *http.Client
	operator *http.Client
	turn     chan struct{} // the action that runs has it
	sending  sync.Mutex    // no page gets an older state after a newer one

	mu       sync.Mutex // guards all below
	accounts map[accountKey]*account
	windows  map[windowKey]*window
	streams  map[string]*stream // by kind
	faults   map[string]bool    // by name
	samples  []sample
	closed   bool
	running  sync.WaitGroup // of streams
}

// accountKey is a user of a mini program.
type accountKey struct{ app, user string }

// account is what a mini program keeps on the phone.
type account struct {
	App    string `json:"app"`
	User   string `json:"user"`
	OpenID string `json:"openid"`
	Number string `json:"phone,omitempty"`
	In     bool   `json:"logged_in"` // it has tokens, valid or not
	Asked  *asked `json:"asked,omitempty"`

	access, refresh, handle string
}

// sample is the outcome of a request of the phone, for the plots.
type sample struct {
	At     int64   `json:"at"` // ms since 1970
	Name   string  `json:"name"`
	Status int     `json:"status"`
	Code   string  `json:"code,omitempty"`
	Millis float64 `json:"ms"`
}

const (
	// sampleAge is how far back the plots go.
	sampleAge = 5 * time.Minute
	// maxSamples bounds them, if someone clicks very fast.
	maxSamples = 600
)

// state is all that the page shows beside the diagram and the tables.
type state struct {
	Gateway   string            `json:"gateway"`
	Service   string            `json:"service,omitempty"`
	Users     []string          `json:"users"`
	Apps      []App             `json:"apps"`
	Accounts  []account         `json:"accounts"`
	Unionids  map[string]string `json:"unionids"` // by user
	Windows   []window          `json:"windows"`
	Streams   []stream          `json:"streams"`
	Faults    map[string]bool   `json:"faults"`
	Samples   []sample          `json:"samples"`
	Caddyfile string            `json:"caddyfile"`
}

// New returns a playground. It calls nothing until the page asks.
func New(cfg Config) *Playground {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", cfg.Admin)
	}
	return &Playground{
		config:   cfg,
		recorder: newRecorder(),
		phone:    &http.Client{Transport: &http.Transport{DisableCompression: true}},
		browser:  &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: showRedirect},
		operator: &http.Client{Transport: &http.Transport{DisableCompression: true, DialContext: dial}},
		turn:     make(chan struct{}, 1),
		accounts: map[accountKey]*account{},
		windows:  map[windowKey]*window{},
		streams:  map[string]*stream{},
		faults:   map[string]bool{},
	}
}

// showRedirect has a browser show each step of a redirect.
func showRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close ends the streams of the phone and of the pages, and waits for those of the phone.
func (p *Playground) Close() {
	p.mu.Lock()
	p.closed = true
	for _, s := range p.streams {
		s.cancel()
	}
	p.mu.Unlock()
	p.running.Wait()
	p.recorder.close()
	p.phone.CloseIdleConnections()
	p.browser.CloseIdleConnections()
	p.operator.CloseIdleConnections()
}

// state returns the current state.
func (p *Playground) state() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := state{
		Gateway: p.config.Gateway, Service: p.config.Service, Users: users, Apps: p.config.Apps, Caddyfile: p.config.Caddyfile,
		Accounts: []account{}, Unionids: map[string]string{}, Windows: p.shownWindows(),
		Streams: []stream{}, Faults: maps.Clone(p.faults), Samples: p.recent(),
	}
	for _, user := range users {
		s.Unionids[user] = unionOf(user)
	}
	for _, app := range p.config.Apps {
		for _, user := range users {
			if a := p.accounts[accountKey{app.ID, user}]; a != nil {
				shown := *a
				shown.In = a.access != ""
				s.Accounts = append(s.Accounts, shown)
			}
		}
	}
	for _, kind := range streamKinds {
		if open := p.streams[kind]; open != nil {
			s.Streams = append(s.Streams, *open)
		}
	}
	return s
}

// recent returns the samples of the last minutes. It is called with the lock held.
func (p *Playground) recent() []sample {
	oldest := time.Now().Add(-sampleAge).UnixMilli()
	out := []sample{}
	for _, s := range p.samples {
		if s.At >= oldest {
			out = append(out, s)
		}
	}
	return out
}

// sample adds the outcome of an action's request to the plots.
func (p *Playground) sample(a *action) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, sample{time.Now().UnixMilli(), a.Name, a.Status, a.Code, a.Millis})
	if len(p.samples) > maxSamples {
		p.samples = append([]sample(nil), p.samples[len(p.samples)-maxSamples:]...)
	}
}

// changed sends the state to the pages.
func (p *Playground) changed() {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.recorder.state(p.state())
}

var (
	errUnknownUser = errors.New("unknown user or mini program")
	errNoAccount   = errors.New("this user is not logged in here; log in first")
)

// account returns the account of a command, and makes it when it is first used.
func (p *Playground) account(c command) (*account, error) {
	if err := oneOf("user", c.User, users); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := accountKey{c.App, c.User}
	if a := p.accounts[key]; a != nil {
		return a, nil
	}
	for _, app := range p.config.Apps {
		if app.ID == c.App {
			p.accounts[key] = &account{App: c.App, User: c.User, OpenID: c.User + app.Suffix}
			return p.accounts[key], nil
		}
	}
	return nil, errUnknownUser
}

// update changes an account.
func (p *Playground) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}
