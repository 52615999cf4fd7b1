package simserver

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simprefetch"
)

// wirePrefetch is a [simprefetch.Fetch] in JSON.
type wirePrefetch struct {
	wireUser
	URL     string `json:"url"`
	Token   string `json:"token"`
	Path    string `json:"path"`
	Query   string `json:"query"`
	Scene   int    `json:"scene"`
	Version string `json:"customMiniprogramVersion"`
}

func prefetch(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in wirePrefetch
	if err := input(r, &in); err != nil {
		return nil, err
	}
	result, err := simprefetch.Do(r.Context(), s, simprefetch.Fetch{
		URL: in.URL, User: in.user(), Token: in.Token, Path: in.Path, Query: in.Query, Scene: in.Scene, Version: in.Version,
	})
	return orNil(result, err)
}
