package wechatsim

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim/expiring"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/requestlog"
	"github.com/wxgate/wxgate/internal/wechatsim/simcalls"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// DefaultApp is the mini program a simulator knows when its Config names none.
// The appid has the shape of a real one and does not exist: zeros and a one.
var DefaultApp = App{ID: "wx0000000000000001", Secret: "00000000000000000000000000000001"}

// An App is one mini program registered with the simulated WeChat, or with one of
// its siblings; or on WeChat an official account or a website.
type App struct {
	ID       string // on WeCom the company's corpid
	Secret   string
	Platform Platform    // default: WeChat
	Kind     simweb.Kind // default: a mini program. Others only on WeChat

	// Callbacks are the hosts that a web login may return to. Default: those of this machine.
	Callbacks []string

	// MiniProgram is the appid on a WeCom app's open data, which is not the
	// corpid. Default: ID.
	MiniProgram string

	// Push is where the app's messages go. Only for WeChat. Default: nowhere.
	Push Push
}

// Config is what a simulator needs to start. The zero value works.
type Config struct {
	// Apps are the mini programs that are known. The first is the one meant
	// when a management call names none. Default: DefaultApp, Siblings and WebApps.
	Apps []App

	// Components are the third-party platforms WeChat knows. Default: none.
	Components []Component

	// Now is the clock that Advance adds to. Default: time.Now.
	Now func() time.Time

	// Seed makes the dice of faults with a probability repeatable. Codes,
	// keys and tokens are always random: two runs must not share them.
	Seed uint64

	// APIAddr is where Start listens for the API. Default: 127.0.0.1:0.
	APIAddr string

	// ManagementAddr is where Start listens for the management side. It must
	// be a loopback address. Default: 127.0.0.1:0.
	ManagementAddr string

	// Observe, if set, returns the handler that Start serves in place of the API's, which
	// it calls. It sees the requests as they arrive, faults included.
	Observe func(api http.Handler) http.Handler
}

// A Sim is one simulated WeChat. Its methods are safe for concurrent use.
type Sim struct {
	apps       []App
	components []Component
	base       func() time.Time
	offset     atomic.Int64 // nanoseconds that Advance added to base

	faults *fault.List
	seen   requestlog.Log
	web    *simweb.Web
	calls  *simcalls.State

	mu        sync.Mutex // guards what follows
	users     map[userKey]*user
	names     map[userKey]string // openids of users that were added with a name, by app and name
	codes     expiring.Map[*code]
	tokens    expiring.Map[*accessToken]
	plain     map[string]*accessToken     // by appid: the latest of /cgi-bin/token; a component's own
	stable    map[string]*stableState     // by appid
	secure    map[string]*apisecurity.App // by appid: those with API security
	ranked    int                         // how many risk ranks were returned
	addresses []string                    // of WeChat's servers
	phones    expiring.Map[time.Time]     // when a number was encrypted; see phoneRecord
}

// New returns a simulator that serves nothing yet. Mount [Sim.API], or use package
// simserver.
func New(cfg Config) *Sim {
	if len(cfg.Apps) == 0 {
		cfg.Apps = slices.Concat([]App{DefaultApp}, Siblings(), WebApps())
	}
	apps := append([]App(nil), cfg.Apps...)
	for i := range apps {
		if apps[i].Platform == "" {
			apps[i].Platform = WeChat
		}
		if apps[i].MiniProgram == "" {
			apps[i].MiniProgram = apps[i].ID
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Sim{
		apps:       apps,
		components: append([]Component(nil), cfg.Components...),
		base:       cfg.Now,
		faults:     fault.New(cfg.Seed),
		users:      make(map[userKey]*user),
		names:      make(map[userKey]string),
		codes:      expiring.New[*code](),
		tokens:     expiring.New[*accessToken](),
		plain:      make(map[string]*accessToken),
		stable:     make(map[string]*stableState),
		secure:     make(map[string]*apisecurity.App),
		phones:     expiring.New[time.Time](),
		addresses:  defaultAddresses,
		calls:      simcalls.New(),
	}
	s.web = simweb.New(accounts{s})
	return s
}

// Close ends every response that a timeout or slow fault delays, now and later. Call it
// before closing an HTTP server, which would wait for them.
func (s *Sim) Close() {
	s.faults.Close()
}

// Arm makes f strike requests from now on. The error is [fault.ErrBad].
func (s *Sim) Arm(f fault.Fault) error { return s.faults.Arm(f) }

// Faults returns what is armed; its Times are the strikes that remain.
func (s *Sim) Faults() []fault.Fault { return s.faults.Armed() }

// ClearFaults disarms everything. It does not release requests that a fault delays.
func (s *Sim) ClearFaults() { s.faults.Clear() }

// Requests returns the requests that the API received, oldest first: all, or those of the
// paths given. Of more than 10,000 the newest are kept.
func (s *Sim) Requests(path ...string) []requestlog.Request { return s.seen.Requests(path...) }

// Count returns how many requests came, to all paths or to those given. It is exact also
// beyond what Requests keeps.
func (s *Sim) Count(path ...string) int { return s.seen.Count(path...) }

// ClearRequests forgets the requests received and starts the counts again.
func (s *Sim) ClearRequests() { s.seen.Clear() }

// Now is the time in the simulation.
func (s *Sim) Now() time.Time {
	return s.base().Add(time.Duration(s.offset.Load()))
}

// Advance moves the simulation's clock forward, and with it the age of every
// code and token. A negative d is ignored: WeChat's time does not run back.
func (s *Sim) Advance(d time.Duration) {
	if d > 0 {
		s.offset.Add(int64(d))
	}
}

// Apps returns the registered mini programs, with their defaults filled in.
func (s *Sim) Apps() []App { return slices.Clone(s.apps) }

// Components returns the registered third-party platforms.
func (s *Sim) Components() []Component { return slices.Clone(s.components) }

// app finds a registered mini program.
func (s *Sim) app(id string) (App, bool) {
	for _, a := range s.apps {
		if a.ID == id {
			return a, true
		}
	}
	return App{}, false
}
