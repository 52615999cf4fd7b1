package doors_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/chromium"
	"github.com/wxgate/wxgate/internal/wechatsim"
)

// alice is the person of these tests.
const (
	alice   = "alice"
	unionid = "ocMvos6NjeKLIBqg5Mr9QjxrP1FA"
)

// closedWithin is the documented time after the end of `user logout` in which every machine
// refuses every session of the person.
const closedWithin = time.Second

// door is a session that began through a door.
type door struct {
	name    string
	app     wechatsim.App
	browser *tab // nil for the mini program
	header  http.Header
}

// TestOnePerson logs one person in to the mini program and through every other door: `user show`
// shows one person, and one logout ends all sessions.
func TestOnePerson(t *testing.T) {
	t.Parallel()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		newWorld(t).onePerson()
	})
	t.Run("two machines", func(t *testing.T) {
		t.Parallel()
		w := newFleet(t)
		w.expires()
		w.onePerson()
	})
}

func (w *world) onePerson() {
	w.t.Helper()
	doors := w.openDoors()
	w.showsOnePerson()
	for i, d := range doors[1:] {
		d.browser.watches([]string{"events", "socket"}[i%2], "?own")
	}
	w.closes(doors)
	for _, d := range doors[1:] {
		if d.browser.open("/orders"); chromium.Value[string](d.browser.Tab, `location.origin + location.pathname`) == w.origin+"/orders" {
			w.t.Errorf("%s: the browser is still logged in", d.name)
		}
	}
	w.machines[len(w.machines)-1].refusesPerson()
}

// openDoors logs alice in through every door.
func (w *world) openDoors() []door {
	w.t.Helper()
	p := w.phoneLogin(alice, unionid)
	doors := []door{{"miniprogram", program, nil, http.Header{"Authorization": {"Bearer " + p.token}}}}
	enter := func(name string, app wechatsim.App, b *tab) {
		w.t.Helper()
		w.arrived(name, app, b)
		doors = append(doors, door{name, app, b, http.Header{"Cookie": {b.cookie + "=" + b.session()}}})
	}

	b := w.browser(onPhone, "zh-CN")
	b.open("/orders?from=official")
	b.picks(alice)
	enter("official", official, b)

	b = w.browser(onPC, "en")
	b.open("/orders?from=website")
	b.click(`a[href*="door=website"]`)
	b.picks(alice)
	enter("website", website, b)

	b = w.browser(inWebView, "zh-CN")
	b.visit(p.ticket("/orders?from=webview"))
	enter("webview", program, b)

	b = w.browser(onPC, "zh-CN")
	b.open("/orders?from=scan")
	scan := p.scan(b)
	b.looks("scan", "zh-CN")
	if a := p.asker(scan); a.Browser != "Chrome on Windows" || a.Address != "127.0.0.*" {
		w.t.Errorf("the phone shows %+v", a)
	}
	b.Wait(`document.getElementById("wxgate").dataset.state === "scanned"`)
	p.confirm(scan, b)
	enter("scan", program, b)
	return doors
}

// arrived checks the page after a login through a door.
func (w *world) arrived(name string, app wechatsim.App, b *tab) {
	w.t.Helper()
	page := "/orders?from=" + name
	b.arrives(w.origin + page)
	want := map[string]string{"openid": wechatsim.OpenIDFor(app.ID, alice), "unionid": unionid, "appid": app.ID, "source": "web"}
	if got := b.who(); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%s: the page shows %v, want %v", name, got, want)
	}
	got := w.upstream.got(page)
	if len(got) != 1 {
		w.t.Fatalf("%s: the upstream received %d requests, want one", name, len(got))
	}
	h := got[0].header
	if h.Get("Referer") != "" || h.Get("Cookie") != "" || h.Get("X-Wx-Session") == "" {
		w.t.Errorf("%s: the upstream received the headers %v", name, h)
	}
}

// showsOnePerson checks `user show`.
func (w *world) showsOnePerson() {
	w.t.Helper()
	var person struct {
		UnionID string
		Users   []struct {
			App, OpenID string
			Sessions    []struct {
				Session, Door, Parent string
			}
		}
	}
	w.machines[0].operate(&person, "user", "show", "--app", official.ID, "--unionid", unionid, "--json")
	var got, parents []string
	ids := map[string]string{}
	for _, u := range person.Users {
		if u.OpenID != wechatsim.OpenIDFor(u.App, alice) {
			w.t.Errorf("the user of %s has the openid %s", u.App, u.OpenID)
		}
		for _, s := range u.Sessions {
			got = append(got, u.App+" "+s.Door)
			ids[s.Door] = s.Session
			if s.Parent != "" {
				parents = append(parents, s.Door+" "+s.Parent)
			}
		}
	}
	slices.Sort(got)
	want := []string{
		program.ID + " miniprogram", program.ID + " scan", program.ID + " webview",
		official.ID + " official", website.ID + " website",
	}
	if want := []string{"webview " + ids["miniprogram"]}; !slices.Equal(parents, want) {
		w.t.Errorf("user show has the parents %q, want %q", parents, want)
	}
	if person.UnionID != unionid || !slices.Equal(got, want) {
		w.t.Errorf("user show: %s has %q, want %q", person.UnionID, got, want)
	}
}

// refusesPerson checks that `user show` no longer finds the person.
func (m *machine) refusesPerson() {
	m.t.Helper()
	out, err := m.command("user", "show", "--app", program.ID, "--unionid", unionid, "--address", "unix/"+m.dir+"/admin.sock").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no user with this unionid is logged in") {
		m.t.Errorf("user show: %v: %s", err, out)
	}
}

// watches opens a stream of events or a WebSocket, as pages do, and records when it ends.
func (b *tab) watches(stream, query string) {
	b.w.t.Helper()
	b.Run(`window.began = window.ended = 0;
	if (` + strconv.Quote(stream) + ` === "events") {
		const source = new EventSource("/events" + ` + strconv.Quote(query) + `);
		source.onmessage = () => window.began = Date.now();
		source.onerror = () => { window.ended = Date.now(); source.close(); };
	} else {
		const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket" + ` + strconv.Quote(query) + `);
		socket.onopen = () => socket.send("hello");
		socket.onmessage = () => window.began = Date.now();
		socket.onclose = () => window.ended = Date.now();
	}`)
	b.Wait(`window.began > 0`)
	if chromium.Value[int64](b.Tab, `window.ended`) != 0 {
		b.w.t.Errorf("the %s ended before the logout", stream)
	}
}

// closes logs the person out with one command, and measures when each machine refuses each
// session, and when the session's streams end.
func (w *world) closes(doors []door) {
	w.t.Helper()
	type refusal struct {
		door    door
		machine *machine
		at      time.Time
	}
	var refusals []*refusal
	var admitted, group sync.WaitGroup
	for _, m := range w.machines {
		for _, d := range doors {
			r := &refusal{door: d, machine: m}
			refusals = append(refusals, r)
			admitted.Add(1)
			group.Go(func() { r.at = m.firstRefusal(d, admitted.Done) })
		}
	}
	admitted.Wait()
	began := time.Now()
	w.machines[0].operate(nil, "user", "logout", "--app", program.ID, "--unionid", unionid)
	ended := time.Now()
	group.Wait()
	figures := fmt.Sprintf("the command took %v; after its start", ended.Sub(began).Round(time.Millisecond))
	judge := func(what string, at time.Time) {
		w.t.Helper()
		figures += fmt.Sprintf("\n\t%4d ms %s", at.Sub(began).Milliseconds(), what)
		if at.IsZero() || at.Sub(ended) > closedWithin {
			w.t.Errorf("%s is not closed within %v", what, closedWithin)
		}
	}
	for _, r := range refusals {
		judge(r.door.name+" at "+r.machine.addr, r.at)
	}
	for _, d := range doors[1:] {
		d.browser.Wait(`window.ended > 0`)
		judge("the stream of "+d.name, time.UnixMilli(chromium.Value[int64](d.browser.Tab, `window.ended`)))
	}
	w.t.Log(figures)
}

// firstRefusal returns when a machine first refuses a session. It calls admitted after the first
// request, which the machine admits.
func (m *machine) firstRefusal(d door, admitted func()) time.Time {
	for n, deadline := 0, time.Now().Add(patience); time.Now().Before(deadline); n++ {
		status, text := m.get("/orders", d.header)
		at := time.Now()
		switch {
		case status == http.StatusUnauthorized && n > 0:
			return at
		case status != http.StatusOK:
			m.t.Errorf("%s: %d %s", d.name, status, text)
		}
		if n == 0 {
			admitted()
		}
		<-time.After(pollEvery)
	}
	return time.Time{}
}

// get sends a request to a machine.
func (m *machine) get(path string, header http.Header) (status int, body string) {
	r, err := http.NewRequest(http.MethodGet, "http://"+m.addr+path, nil)
	if err != nil {
		m.t.Error(err)
		return 0, ""
	}
	r.Header = header.Clone()
	response, err := clients.Do(r)
	if err != nil {
		m.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		m.t.Error(err)
	}
	return response.StatusCode, string(text)
}
