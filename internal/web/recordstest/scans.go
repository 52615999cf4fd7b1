package recordstest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/web"
)

// The actors of the model.
const (
	modelBrowsers = 2
	modelPhones   = 4 // two of the scan's app, one of another user of it, one of the other app
	modelFinishes = 3 // at once
)

// modelScan is the expected state of a scan.
type modelScan struct {
	name, number string
	browser      int
	until        time.Time
	state        web.ScanState // expired for a scan that does not exist
	phone        int           // -1 before a phone opened it
	session      auth.SessionID
	wrong        int
}

// scanModel runs random operations of browsers and phones, and compares each outcome with the
// contract.
type scanModel struct {
	t        testing.TB
	store    Store
	timeless bool
	random   *rand.Rand
	service  []*web.Service // one for each machine
	sessions *Sessions
	browsers [modelBrowsers]web.BrowserKey
	phones   [modelPhones]*auth.Identity
	scans    []*modelScan
	logins   map[auth.User]int // successful ones
	trace    []string
}

// ModelScans runs operations on scans in a store. With timeless no time passes, for a store with
// its own clock.
func ModelScans(t *testing.T, s Store, operations int, timeless bool) {
	t.Helper()
	seed := rand.Uint64()                    //nolint:gosec // G404: not a secret
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // G404: not a secret
	m := &scanModel{t: t, store: s, timeless: timeless, random: random, logins: map[auth.User]int{}}
	m.sessions = NewSessions(s.Now)
	for range 2 {
		m.service = append(m.service, NewService(t, s.Open(t), m.sessions))
	}
	for i := range m.browsers {
		m.browsers[i] = web.NewBrowserKey()
	}
	for i := range m.phones {
		m.begin(i)
	}
	counts := map[string]int{}
	for range operations {
		name, ok := m.step()
		if counts[fmt.Sprintf("%s: %t", name, ok)]++; t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, strings.Join(m.trace[max(0, len(m.trace)-40):], "\n"))
		}
	}
	for _, outcome := range []string{"confirm: true", "finish: true", "finish: false", "open: false", "wrong number: false", "refuse: true", "refuse: false"} {
		if counts[outcome] == 0 {
			t.Errorf("no operation had the outcome %s: %v", outcome, counts)
		}
	}
	for user, n := range m.logins {
		if found := len(m.sessions.Of(user, auth.DoorScan)); found != n {
			t.Errorf("%d sessions of %v began, want %d", found, user, n)
		}
	}
}

// begin begins a new session for a phone.
func (m *scanModel) begin(i int) {
	user := auth.User{App: ScanApp, OpenID: "alice"}
	switch i {
	case modelPhones - 2:
		user.OpenID = "mallory"
	case modelPhones - 1:
		user.App = OtherApp
	}
	m.phones[i] = m.sessions.Begin(user)
}

// operation is an action of a browser or a phone. It reports whether it succeeded.
type operation struct {
	name   string
	weight int
	run    func(*scanModel, *modelScan) (ok bool)
}

var operations = []operation{
	{"state", 6, (*scanModel).poll},
	{"open", 6, (*scanModel).open},
	{"confirm", 5, func(m *scanModel, s *modelScan) bool { return m.confirm(s, s.number) }},
	{"wrong number", 3, func(m *scanModel, s *modelScan) bool { return m.confirm(s, "wrong") }},
	{"refuse", 1, (*scanModel).refuse},
	{"finish", 6, (*scanModel).finish},
}

// step runs one operation.
func (m *scanModel) step() (name string, ok bool) {
	switch n := m.random.IntN(30); {
	case n == 0 || len(m.scans) == 0:
		return "new", m.newScan()
	case n == 1 && !m.timeless:
		return "wait", m.wait()
	case n == 2:
		return "log out", m.logOut()
	}
	total := 0
	for _, op := range operations {
		total += op.weight
	}
	at := m.random.IntN(total)
	for _, op := range operations {
		if at -= op.weight; at < 0 {
			scan := m.scans[max(0, len(m.scans)-1-m.random.IntN(3))]
			if !m.store.Now().Before(scan.until) {
				scan.state = web.ScanExpired
			}
			ok = op.run(m, scan)
			return op.name, ok
		}
	}
	return "", false
}

func (m *scanModel) any() *web.Service { return m.service[m.random.IntN(len(m.service))] }

// note checks an outcome.
func (m *scanModel) note(scan *modelScan, err, want error, format string, args ...any) bool {
	what := fmt.Sprintf("scan %s (%s, phone %d, wrong %d): %s: %v", scan.name[:4], scan.state, scan.phone, scan.wrong, fmt.Sprintf(format, args...), err)
	m.trace = append(m.trace, what)
	if !errors.Is(err, want) {
		m.t.Errorf("%s, want %v", what, want)
	}
	return err == nil
}

func (m *scanModel) newScan() bool {
	s := &modelScan{browser: m.random.IntN(modelBrowsers), state: web.ScanWaiting, phone: -1, until: m.store.Now().Add(web.ScanLife)}
	var err error
	s.name, s.number, err = m.any().NewScan(m.t.Context(), ScanApp, m.browsers[s.browser], web.Asker{Agent: "Chrome"})
	m.scans = append(m.scans, s)
	return m.note(s, err, nil, "new")
}

func (m *scanModel) wait() bool {
	d := time.Duration(m.random.IntN(50)) * time.Second
	m.store.Pass(d)
	m.trace = append(m.trace, "wait "+d.String())
	return true
}

// logOut ends the session of a phone, and begins another one.
func (m *scanModel) logOut() bool {
	i := m.random.IntN(modelPhones)
	m.sessions.End(m.phones[i].Session)
	m.begin(i)
	m.trace = append(m.trace, fmt.Sprintf("phone %d logs out and in", i))
	return true
}

func (m *scanModel) poll(s *modelScan) bool {
	browser := m.random.IntN(modelBrowsers)
	state, err := m.any().ScanState(m.t.Context(), s.name, m.browsers[browser])
	if s.state != web.ScanExpired && browser != s.browser {
		return m.note(s, err, web.ErrScan, "state for browser %d", browser)
	}
	if state != s.state {
		m.t.Errorf("the state is %q, want %q", state, s.state)
	}
	return m.note(s, err, nil, "state for browser %d", browser)
}

// opens reports whether a phone may open the scan.
func (m *scanModel) opens(s *modelScan, phone int) bool {
	return s.state != web.ScanExpired && m.phones[phone].App == ScanApp && (s.phone < 0 || s.session == m.phones[phone].Session)
}

func (m *scanModel) open(s *modelScan) bool {
	phone := m.random.IntN(modelPhones)
	scan, err := m.any().OpenScan(m.t.Context(), s.name, m.phones[phone])
	if !m.opens(s, phone) || s.state == web.ScanRefused {
		return m.note(s, err, web.ErrScan, "open with phone %d", phone)
	}
	if scan.Agent != "Chrome" {
		m.t.Errorf("the phone is shown %+v", scan.Asker)
	}
	ok := m.note(s, err, nil, "open with phone %d", phone)
	if s.state == web.ScanWaiting {
		s.state, s.phone, s.session = web.ScanScanned, phone, m.phones[phone].Session
	}
	return ok
}

func (m *scanModel) confirm(s *modelScan, number string) bool {
	phone := m.random.IntN(modelPhones)
	err := m.any().ConfirmScan(m.t.Context(), s.name, number, m.phones[phone])
	var want error
	next, wrong := s.state, s.wrong
	switch {
	case !m.opens(s, phone) || s.phone < 0 || s.state == web.ScanRefused:
		want = web.ErrScan
	case number == s.number:
		next = web.ScanConfirmed
	case s.state == web.ScanConfirmed:
		want = web.ErrWrongNumber
	case s.wrong == web.MaxWrongNumbers-1:
		want, next, wrong = web.ErrScan, web.ScanRefused, wrong+1
	default:
		want, wrong = web.ErrWrongNumber, wrong+1
	}
	ok := m.note(s, err, want, "confirm with phone %d and %s", phone, number)
	s.state, s.wrong = next, wrong
	return ok
}

func (m *scanModel) refuse(s *modelScan) bool {
	phone := m.random.IntN(modelPhones)
	err := m.any().RefuseScan(m.t.Context(), s.name, m.phones[phone])
	if !m.opens(s, phone) || s.phone < 0 {
		return m.note(s, err, web.ErrScan, "refuse with phone %d", phone)
	}
	ok := m.note(s, err, nil, "refuse with phone %d", phone)
	s.state = web.ScanRefused
	return ok
}

// finish finishes a scan of a browser on several machines at once.
func (m *scanModel) finish(s *modelScan) bool {
	browser := m.random.IntN(modelBrowsers)
	var running sync.WaitGroup
	var opened atomic.Pointer[web.Opened]
	var n atomic.Int64
	for i := range modelFinishes {
		running.Go(func() {
			one, err := m.service[i%len(m.service)].Finish(m.t.Context(), s.name, m.browsers[browser], auth.DeviceWindows)
			switch {
			case err == nil:
				opened.Store(one)
				n.Add(1)
			case !errors.Is(err, web.ErrScan):
				m.t.Errorf("finish: %v, want nil or ErrScan", err)
			}
		})
	}
	running.Wait()
	confirmed := s.state == web.ScanConfirmed && browser == s.browser
	if confirmed {
		s.state = web.ScanExpired // even if the phone's session has ended: a scan is used once
	}
	_, ended := m.sessions.Session(m.t.Context(), s.session)
	want := int64(0)
	if confirmed && ended == nil {
		want = 1
	}
	m.trace = append(m.trace, fmt.Sprintf("scan %s (%s): finish with browser %d: %d sessions", s.name[:4], s.state, browser, n.Load()))
	if n.Load() != want {
		m.t.Errorf("%d sessions began, want %d", n.Load(), want)
	}
	if one := opened.Load(); one != nil {
		m.logins[one.Session.User]++
		if one.Session.User != m.userOf(s.session) || one.Session.Door != auth.DoorScan || one.Session.Parent != "" {
			m.t.Errorf("the session is %+v", one.Session)
		}
	}
	return n.Load() == 1
}

func (m *scanModel) userOf(id auth.SessionID) auth.User {
	session, err := m.sessions.Session(m.t.Context(), id)
	if err != nil {
		return auth.User{}
	}
	return session.User
}
