package playground

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// maxSessions is how many sessions the table shows.
const maxSessions = 50

// adminHost is the host of calls over the Unix socket: Caddy accepts no other name there.
const adminHost = "http://127.0.0.1"

// adminCall returns a call of the admin API.
func (p *Playground) adminCall(method, path, body string) call {
	h := http.Header{}
	if body != "" {
		h["Content-Type"] = []string{"application/json"}
	}
	return call{from: Operator, client: p.operator, method: method, url: adminHost + "/wxgate/" + path, header: h, body: body, socket: p.config.Admin}
}

// endSession ends one session on all machines.
func (p *Playground) endSession(ctx context.Context, a *action, c command) error {
	request := p.adminCall(http.MethodPost, "sessions/end", jsonOf(map[string]string{"session": c.Session}))
	a.Curl = curl(request)
	_, err := p.exchange(ctx, a, request)
	return err
}

// rotateKey makes the next signing key, which signs at once.
func (p *Playground) rotateKey(ctx context.Context, a *action, _ command) error {
	request := p.adminCall(http.MethodPost, "keys/rotate", `{"immediate":true}`)
	a.Curl = curl(request)
	_, err := p.exchange(ctx, a, request)
	return err
}

// serveTables is GET /tables: the sessions and the signing keys. It is no action, and no
// part of the diagram.
func (p *Playground) serveTables(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	var page struct {
		Sessions json.RawMessage `json:"sessions"`
	}
	var keys json.RawMessage
	err := errors.Join(
		p.read(ctx, p.adminCall(http.MethodPost, "sessions", fmt.Sprintf(`{"limit":%d}`, maxSessions)), &page),
		p.read(ctx, p.adminCall(http.MethodGet, "keys", ""), &keys),
	)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	writeJSON(w, map[string]any{"sessions": page.Sessions, "keys": keys})
}

// read makes a call that is not recorded.
func (p *Playground) read(ctx context.Context, c call, into any) error {
	request, err := c.request(ctx)
	if err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("calling the admin API: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w by the admin API: status %d", errRefused, response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(into); err != nil {
		return fmt.Errorf("reading the response of the admin API: %w", err)
	}
	return nil
}

// faults are the ways in which WeChat can go wrong, as the simulator's controls write them.
var faults = map[string]string{
	"busy":    `{"kind":"busy"}`,
	"quota":   `{"kind":"quota"}`,
	"slow":    `{"kind":"slow","delay":"2s"}`,
	"timeout": `{"kind":"timeout"}`,
	"reset":   `{"kind":"reset"}`,
	"html":    `{"kind":"html"}`,
	"http500": `{"kind":"http500"}`,
	"secret":  `{"kind":"errcode","errcode":40125}`,
}

// setFault arms or clears a fault of the simulated WeChat. The simulator only clears all of
// them, so the others are armed again.
func (p *Playground) setFault(ctx context.Context, a *action, c command) error {
	if faults[c.Fault] == "" {
		return fmt.Errorf("%w: unrecognized fault %q", errBadCommand, c.Fault)
	}
	var rest []string
	p.update(func() {
		p.faults[c.Fault] = c.On
		for name, armed := range p.faults {
			if armed {
				rest = append(rest, name)
			}
		}
	})
	slices.Sort(rest)
	calls := []call{p.faultCall(http.MethodDelete, "")}
	for _, name := range rest {
		calls = append(calls, p.faultCall(http.MethodPost, faults[name]))
	}
	for i, fault := range calls {
		if i > 0 {
			a.Curl += "\n"
		}
		a.Curl += curl(fault)
		if _, err := p.control(ctx, fault.method, "/faults", fault.body); err != nil {
			return err
		}
	}
	return nil
}

func (p *Playground) faultCall(method, body string) call {
	return call{from: Phone, method: method, url: p.config.Management + "/faults", body: body}
}
