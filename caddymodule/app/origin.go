package app

import (
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// origins remembers where in a Caddyfile the global block and its apps are, from the
// adapter until the next Provision in this process, which is that of the same load
// with `wxgate validate` and `wxgate run`. JSON has no place for it: a line that
// moved would make a configuration a changed one. A reload is adapted by another
// process, so its errors name no line.
var origins originMap

type originMap struct {
	mu    sync.Mutex
	lines map[string]string // by the appid as it is configured; "" is the block
}

// note remembers the line of the dispenser's current token.
func (o *originMap) note(name string, d *caddyfile.Dispenser) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lines == nil {
		o.lines = make(map[string]string)
	}
	o.lines[name] = fmt.Sprintf("%s:%d", d.File(), d.Line())
}

// take returns what is known, and forgets it: the next configuration may be another.
func (o *originMap) take() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

// at adds the line of an app, or of the block where it has none, to an error.
func at(lines map[string]string, name string, err error) error {
	line := lines[name]
	if line == "" {
		line = lines[""]
	}
	if err == nil || line == "" {
		return err
	}
	return fmt.Errorf("%w, at %s", err, line)
}
