package simserver

import (
	"cmp"
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
)

// wireSecured names the app of a call about API security.
type wireSecured struct {
	App string `json:"appid"`
}

func securedApp(s *wechatsim.Sim, r *http.Request) (string, error) {
	var in wireSecured
	err := input(r, &in)
	return cmp.Or(in.App, s.Apps()[0].ID), err
}

// secure turns on API security with new keys.
func secure(s *wechatsim.Sim, r *http.Request) (any, error) {
	app, err := securedApp(s, r)
	if err != nil {
		return nil, err
	}
	keys, err := apisecurity.Generate()
	if err != nil {
		return nil, err
	}
	return orNil(s.Secure(app, keys))
}

// console returns the keys as they are.
func console(s *wechatsim.Sim, r *http.Request) (any, error) {
	app, err := securedApp(s, r)
	if err != nil {
		return nil, err
	}
	return orNil(s.SecurityConsole(app))
}

// changeCertificate begins or ends a change of WeChat's certificate.
func changeCertificate(s *wechatsim.Sim, r *http.Request) (any, error) {
	app, err := securedApp(s, r)
	if err != nil {
		return nil, err
	}
	keys, err := apisecurity.Generate()
	if err != nil {
		return nil, err
	}
	return orNil(s.ChangeCertificate(app, keys.Verify))
}
