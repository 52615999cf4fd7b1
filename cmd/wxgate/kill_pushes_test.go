package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

const (
	pushToken = "pushtoken0001"
	pushKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// pushed is a service that receives pushes. It can kill the gateway at a step of a delivery.
type pushed struct {
	t      *testing.T
	mu     sync.Mutex
	status int                        // of its responses
	step   func()                     // called before the next response, or nil
	ids    map[string]map[string]bool // by MsgId of each accepted message: the jti of its assertions
}

func (p *pushed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var message struct {
		ID json.Number `json:"MsgId"`
	}
	var claims struct{ Jti string }
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(r.Header.Get("X-WX-ASSERTION")+"..", ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	if err != nil {
		p.t.Errorf("not a push: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.step != nil {
		p.step()
		p.step = nil
	}
	if p.status < http.StatusMultipleChoices {
		id := message.ID.String()
		if p.ids[id] == nil {
			p.ids[id] = make(map[string]bool)
		}
		p.ids[id][claims.Jti] = true
	}
	w.WriteHeader(p.status)
}

// set sets the status of the responses and the next step.
func (p *pushed) set(status int, step func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.step = status, step
}

// accepted returns the number of accepted messages.
func (p *pushed) accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ids)
}

// TestKillLosesNoPush: the process is killed with kill -9 while it stores messages, after they
// were acknowledged, while the service handles a request, and after the service accepted it.
// WeChat sends messages without acknowledgment again. Every message is delivered, each with one
// ID.
func TestKillLosesNoPush(t *testing.T) {
	binary, err := exec.LookPath("wxgate") // this test binary; see TestMain
	if err != nil {
		t.Fatal(err)
	}
	service := &pushed{t: t, ids: make(map[string]map[string]bool)}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	w := newEmptyWorld(t)
	g := newGateway(t, binary, w.sim.URL, w.business)
	g.app = "callback " + pushToken + " " + pushKey + " {\n\t\t\t\tforward " + server.URL + "/wechat\n\t\t\t}"
	send := func(id int) bool {
		text := fmt.Sprintf(`{"FromUserName":"user%d","CreateTime":1,"MsgType":"text","Content":"hi","MsgId":%d}`, id%3, id)
		r, err := simpush.Message(w.sim.Sim, text, simpush.Target{Token: pushToken, EncodingAESKey: pushKey, Receiver: wechatsim.DefaultApp.ID})
		if err != nil {
			t.Fatal(err)
		}
		return g.send(http.MethodPost, pub+"/callback?"+r.Query.Encode(), string(r.Body), "").status == http.StatusOK
	}
	const each = 4
	sent := 0
	for step, kill := range map[string]func(unacknowledged map[int]bool){
		"acknowledged": func(map[int]bool) { g.kill() },
		"stored": func(unacknowledged map[int]bool) {
			var storing sync.WaitGroup
			storing.Go(func() { unacknowledged[sent] = !send(sent) })
			g.kill()
			storing.Wait()
			sent++
		},
		"sent": func(map[int]bool) {
			killed := make(chan struct{})
			service.set(http.StatusServiceUnavailable, func() { g.kill(); close(killed) })
			<-killed
		},
		"accepted": func(map[int]bool) {
			killed := make(chan struct{})
			service.set(http.StatusOK, func() { g.kill(); close(killed) })
			<-killed
		},
	} {
		service.set(http.StatusServiceUnavailable, nil)
		g.start()
		unacknowledged := make(map[int]bool)
		for range each {
			unacknowledged[sent] = !send(sent)
			sent++
		}
		kill(unacknowledged)
		service.set(http.StatusOK, nil)
		g.start()
		for id, lost := range unacknowledged {
			if lost && !send(id) {
				t.Errorf("%s: message %d is not acknowledged", step, id)
			}
		}
		for deadline := time.Now().Add(readyWithin); service.accepted() < sent; <-time.After(pollEvery) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d of %d messages were delivered", step, service.accepted(), sent)
			}
		}
		g.stop()
	}
	for id, ids := range service.ids {
		if len(ids) != 1 {
			t.Errorf("message %s was delivered with the IDs %v", id, ids)
		}
	}
}
