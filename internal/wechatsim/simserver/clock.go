package simserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
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

// requests returns all requests to a path, or to all paths; or the newest so many of them.
func requests(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		Path  string      `json:"path"`
		Limit json.Number `json:"limit"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	var paths []string
	if in.Path != "" {
		paths = append(paths, in.Path)
	}
	list := s.Requests(paths...)
	if in.Limit == "" {
		return list, nil
	}
	limit, err := strconv.Atoi(in.Limit.String())
	if err != nil || limit < 0 {
		return nil, fmt.Errorf("reading limit: %q is not a number from 0 up", in.Limit)
	}
	return list[max(0, len(list)-limit):], nil
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
