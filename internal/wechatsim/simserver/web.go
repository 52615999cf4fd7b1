package simserver

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// webCode makes the code of a web login without the page.
func webCode(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		wireUser
		Scope    string `json:"scope"`
		Snapshot bool   `json:"snapshot"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.MintWebCode(in.user(), simweb.Login{Scope: in.Scope, Snapshot: in.Snapshot}))
}

func webCodeText(s *wechatsim.Sim, r *http.Request) (any, error) { return codeOnly(webCode(s, r)) }

// userInfoOnly says where the unionid of a web login is.
func userInfoOnly(s *wechatsim.Sim, r *http.Request) (any, error) {
	in := struct {
		App  string `json:"appid"`
		Only bool   `json:"userinfo_only"`
	}{Only: true}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return nil, s.SetUserInfoOnly(in.App, in.Only)
}

// programCodes returns the codes that a phone can scan.
func programCodes(s *wechatsim.Sim, _ *http.Request) (any, error) { return s.ProgramCodes(), nil }
