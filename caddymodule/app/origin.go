package app

import (
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// origins has the lines of the global block and its apps in the Caddyfile. The adapter
// writes them, and the next Provision in this process takes them: with `wxgate validate`
// and `wxgate run` it belongs to the same load. They are not in the JSON, where a line that
// moved would be a change of the configuration. A reload is adapted by another process, so
// its errors name no line.
var origins originMap

type originMap struct {
	mu    sync.Mutex
	lines map[string]string // by the appid as it is configured; "" is the block
}

// note records the line of the dispenser's current token.
func (o *originMap) note(name string, d *caddyfile.Dispenser) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lines == nil {
		o.lines = make(map[string]string)
	}
	o.lines[name] = fmt.Sprintf("%s:%d", d.File(), d.Line())
}

// take returns the lines and forgets them: the next configuration may be from another file.
func (o *originMap) take() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

// at adds to an error the line of an app, or of the block if the app has none.
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
