package simserver

import (
	"fmt"
	"net/http"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

func expire(s *wechatsim.Sim, _ *http.Request) (any, error) {
	s.ExpireTokens()
	return nil, nil
}

func now(s *wechatsim.Sim, _ *http.Request) (any, error) {
	return map[string]time.Time{"now": s.Now()}, nil
}

func advance(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		Advance string `json:"advance"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(in.Advance)
	if err != nil {
		return nil, fmt.Errorf("reading advance: %w", err)
	}
	if d < 0 {
		return nil, fmt.Errorf("reading advance: %v is negative, time does not run back", d)
	}
	s.Advance(d)
	return now(s, r)
}

func requests(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		Path string `json:"path"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	if in.Path == "" {
		return s.Requests(), nil
	}
	return s.Requests(in.Path), nil
}

func clearRequests(s *wechatsim.Sim, _ *http.Request) (any, error) {
	s.ClearRequests()
	return nil, nil
}

// componentToken plays the operator's token service, which asks WeChat for the token
// with the ticket that WeChat pushes to it.
func componentToken(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		Component string `json:"component"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.ComponentToken(in.Component))
}
