package handler

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/internal/gateway/cors"
)

// CORS lets pages of other origins call the site (Fetch section 3.2). Mini
// programs do not need it; H5 pages do.
type CORS struct {
	// The origins, such as `https://h5.example.com`, exactly as browsers send
	// them: no wildcard and no suffix, which would admit evil-example.com.
	Origins []string `json:"origins,omitempty"`
	// Request headers that pages may send. Default Authorization, Content-Type.
	Headers []string `json:"headers,omitempty"`
	// Methods that pages may use. Default GET, POST, PUT, PATCH, DELETE.
	Methods []string `json:"methods,omitempty"`
	// How long a browser may keep the response to a preflight. Default 10m.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
}

// defaultCORSMaxAge is far below the two hours that Chromium allows, so that a change
// takes effect soon.
const defaultCORSMaxAge = 10 * time.Minute

var (
	defaultCORSHeaders = []string{"Authorization", "Content-Type"}
	defaultCORSMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
)

// resolve checks the configuration and fills in defaults.
func (c *CORS) resolve() (*cors.Policy, error) {
	if len(c.Origins) == 0 {
		return nil, errors.New("name the origins: origins https://h5.example.com")
	}
	for _, origin := range c.Origins {
		if err := cors.CheckOrigin(origin); err != nil {
			return nil, err
		}
	}
	resolved := &cors.Policy{Origins: c.Origins, Headers: c.Headers, Methods: c.Methods, MaxAge: time.Duration(c.MaxAge)}
	if len(c.Headers) == 0 {
		resolved.Headers = defaultCORSHeaders
	}
	if len(c.Methods) == 0 {
		resolved.Methods = defaultCORSMethods
	}
	if c.MaxAge == 0 {
		resolved.MaxAge = defaultCORSMaxAge
	}
	return resolved, nil
}
