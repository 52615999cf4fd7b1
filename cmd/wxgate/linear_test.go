package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// history records the clients' requests, the responses of the replicas and their times, for a
// check against [linearModel].
type history struct {
	f     *fleet
	began time.Time

	mu     sync.Mutex
	ops    map[int][]porcupine.Operation // by user
	tokens map[string]int                // refresh tokens, by their text
	last   int                           // number given to a session or a user
}

const (
	phonesEach = 3 // of each user, used at once
	// The next user begins after so many operations, or so many without a response: each of
	// those may have been carried out at any time since, and doubles the work of the checker.
	maxOperations = 120
	maxUnanswered = 6
	// presentations is how often one refresh token is presented: certainly not too often,
	// including the rotation.
	presentations = maxReplays
	// checkedWithin limits the time for the check of one user's history.
	checkedWithin = 20 * time.Second
)

func newHistory(f *fleet) *history {
	return &history{f: f, began: time.Now(), ops: make(map[int][]porcupine.Operation), tokens: make(map[string]int)}
}

// work makes users with several phones send requests until ctx ends.
func (h *history) work(ctx context.Context, group *sync.WaitGroup) {
	for range historians {
		group.Go(func() {
			for ctx.Err() == nil {
				newHistorian(h).run(ctx)
			}
		})
	}
}

func (h *history) number() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	return h.last
}

// token returns the number of a refresh token.
func (h *history) token(text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens[text] == 0 {
		h.tokens[text] = len(h.tokens) + 1
	}
	return h.tokens[text]
}

// record records an operation, unless it proves nothing, and returns its outcome.
func (h *history) record(client int, in request, r reply, yielded int) outcome {
	out, ok := outcomeOf(in.op, r)
	if !ok {
		h.f.wrong(fmt.Sprintf("%s of user %d", describe(in, result{}), in.user), r.unexpected())
		return unknown
	}
	if out == unknown && (r.unsent() || in.op == opLogin || in.op == opCheck) {
		return unknown
	}
	in.call = r.sent.Sub(h.began).Nanoseconds()
	response := result{outcome: out, token: yielded, ret: r.came.Sub(h.began).Nanoseconds()}
	if out == unknown {
		response.ret = never
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[in.user] = append(h.ops[in.user], porcupine.Operation{ClientId: client, Input: in, Call: in.call, Output: response, Return: response.ret})
	return out
}

// model is the specification with the fleet's outages.
func (h *history) model() porcupine.Model {
	return linearModel(func(replica int, over int64) int64 {
		if over == never {
			return never
		}
		return h.f.lateFor(h.f.replicas[replica], h.began.Add(time.Duration(over))).Sub(h.began).Nanoseconds()
	})
}

// judge checks every user's history.
func (h *history) judge() {
	h.f.t.Helper()
	model := h.model()
	began, count := time.Now(), 0
	for user, ops := range h.ops {
		count += len(ops)
		if result := porcupine.CheckOperationsTimeout(model, ops, checkedWithin); result != porcupine.Ok {
			h.f.t.Errorf("the history of user %d, %d operations, is not linearizable: %s; see %s", user, len(ops), result, h.visualize(user, model))
		}
	}
	if count == 0 {
		h.f.t.Error("no history was recorded")
	}
	h.f.t.Logf("%8d operations of %d users with %d phones each are linearizable; checked in %v", count, len(h.ops), phonesEach, time.Since(began).Round(time.Millisecond))
}

// visualize writes a drawing of a failed history, for a browser. go test deletes it unless it
// runs with -artifacts.
func (h *history) visualize(user int, model porcupine.Model) (path string) {
	_, info := porcupine.CheckOperationsVerbose(model, h.ops[user], checkedWithin)
	path = filepath.Join(h.f.t.ArtifactDir(), fmt.Sprintf("user%d.html", user))
	if err := porcupine.VisualizePath(model, info, path); err != nil {
		return err.Error()
	}
	longest := make(map[int]bool) // the largest set of operations that fit
	for _, partition := range info.PartialLinearizations() {
		for _, fit := range partition {
			if len(fit) > len(longest) {
				clear(longest)
				for _, i := range fit {
					longest[i] = true
				}
			}
		}
	}
	for i, op := range h.ops[user] {
		ms := func(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
		h.f.t.Logf("fits: %-5v %9.1f to %9.1f ms, phone %d: %s", longest[i], ms(op.Call), ms(op.Return), op.ClientId, describe(op.Input, op.Output))
	}
	return path
}

// historian is a user whose phones share their tokens, unlike honest clients: they present each
// other's tokens at once, including old ones.
type historian struct {
	h    *history
	user int
	name string

	mu         sync.Mutex
	sessions   []*phoneSession
	operations int
	unanswered int
}

// phoneSession is what the phones know about a session.
type phoneSession struct {
	id     int
	access string
	tokens []presentable // all its refresh tokens, the newest last
	over   bool          // a response showed that it has ended
}

// presentable is a refresh token.
type presentable struct {
	number  int
	text    string
	came    time.Time
	shown   int       // how often it was presented
	replays time.Time // until when it yields its successor, once it has one
}

func newHistorian(h *history) *historian {
	n := h.number()
	return &historian{h: h, user: n, name: fmt.Sprintf("historian%d", n)}
}

// run makes the phones send random requests until the user's history is long enough.
func (u *historian) run(ctx context.Context) {
	var group sync.WaitGroup
	for phone := range phonesEach {
		group.Go(func() {
			for ctx.Err() == nil && u.continues() {
				if u.act(phone) == unknown {
					pause(ctx, 2*time.Second) // Retry-After
				}
				pause(ctx, u.h.f.tempo)
			}
		})
	}
	group.Wait()
}

func (u *historian) continues() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.operations++
	return u.operations <= maxOperations && u.unanswered <= maxUnanswered
}

// act sends one request.
func (u *historian) act(phone int) outcome {
	const mostSessions = 3
	n := rand.IntN(100)
	live, all := u.sessionsKnown()
	switch {
	case len(live) == 0 || n < 8 && len(live) < mostSessions:
		return u.login(phone)
	case n < 45:
		return u.present(phone, opCheck, all[rand.IntN(len(all))])
	case n < 88:
		return u.refresh(phone, live[rand.IntN(len(live))], n)
	case n < 95:
		return u.present(phone, opLogout, all[rand.IntN(len(all))])
	case n < 97:
		return u.present(phone, opLogoutAll, live[rand.IntN(len(live))])
	default:
		return u.present(phone, opCheck, all[len(all)-1])
	}
}

func (u *historian) sessionsKnown() (live, all []*phoneSession) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range u.sessions {
		if !s.over {
			live = append(live, s)
		}
		all = append(all, s)
	}
	return live, all
}

// note records an outcome.
func (u *historian) note(s *phoneSession, out outcome) outcome {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch out {
	case unknown:
		u.unanswered++
	case revoked, reused:
		s.over = true
	case done:
	}
	return out
}

func (u *historian) login(phone int) outcome {
	replica := rand.IntN(replicas)
	p, r, err := u.h.f.login(u.h.f.replicas[replica], u.name)
	if err != nil {
		u.h.f.wrong("login", err)
		return unknown
	}
	if p == (pair{}) {
		return unknown
	}
	s := &phoneSession{id: u.h.number()}
	out := u.h.record(phone, request{op: opLogin, user: u.user, replica: replica, session: s.id}, r, u.h.token(p.Refresh))
	u.keep(s, p, r)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sessions = append(u.sessions, s)
	return out
}

// keep stores a new pair.
func (u *historian) keep(s *phoneSession, p pair, r reply) {
	number := u.h.token(p.Refresh)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range s.tokens {
		if t.number == number {
			return
		}
	}
	if n := len(s.tokens); n > 0 {
		s.tokens[n-1].replays = r.sent.Add(grace / 2)
	}
	s.access = p.Access
	s.tokens = append(s.tokens, presentable{number: number, text: p.Refresh, came: r.came})
}

// refresh presents a refresh token, mostly the newest.
func (u *historian) refresh(phone int, s *phoneSession, n int) outcome {
	token, ok := u.pick(s, n)
	if !ok {
		return u.present(phone, opCheck, s)
	}
	replica := rand.IntN(replicas)
	r := u.h.f.askOf(u.h.f.replicas[replica], http.MethodPost, pub+"/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token.text), "")
	in, yielded := request{op: opRefresh, user: u.user, replica: replica, session: s.id, token: token.number}, 0
	if r.received() && r.status == http.StatusOK {
		p, err := r.pair()
		if err != nil {
			u.h.f.wrong("refresh", err)
			return unknown
		}
		yielded = u.h.token(p.Refresh)
		u.keep(s, p, r)
	}
	return u.note(s, u.h.record(phone, in, r, yielded))
}

// pick chooses a refresh token: the newest, the one before it while it certainly yields its
// successor, or an older one, which ends the session.
func (u *historian) pick(s *phoneSession, n int) (presentable, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := len(s.tokens) - 1
	switch {
	case n%10 == 0 && i >= 2:
		return s.tokens[rand.IntN(i-1)], true
	case n%10 < 4 && i >= 1 && time.Now().Before(s.tokens[i-1].replays):
		i--
	}
	if s.tokens[i].shown >= presentations {
		return presentable{}, false
	}
	s.tokens[i].shown++
	return s.tokens[i], true
}

// present sends a request with an access token.
func (u *historian) present(phone int, op operation, s *phoneSession) outcome {
	u.mu.Lock()
	access := s.access
	u.mu.Unlock()
	method, path, body := http.MethodGet, "/orders", ""
	switch op {
	case opLogout:
		method, path = http.MethodPost, pub+"/logout"
	case opLogoutAll:
		method, path, body = http.MethodPost, pub+"/logout", `{"all":true}`
	default:
	}
	replica := rand.IntN(replicas)
	r := u.h.f.askOf(u.h.f.replicas[replica], method, path, body, access)
	out := u.h.record(phone, request{op: op, user: u.user, replica: replica, session: s.id}, r, 0)
	return u.note(s, out)
}
