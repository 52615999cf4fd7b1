package simserver

import (
	"cmp"
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
)

// aboutSecurity returns a call about the API security of the app that the request names.
func aboutSecurity(of func(s *wechatsim.Sim, app string) (apisecurity.Console, error)) call {
	return func(s *wechatsim.Sim, r *http.Request) (any, error) {
		var in struct {
			App string `json:"appid"`
		}
		if err := input(r, &in); err != nil {
			return nil, err
		}
		return orNil(of(s, cmp.Or(in.App, s.Apps()[0].ID)))
	}
}

// secure turns on API security with new keys.
func secure(s *wechatsim.Sim, app string) (apisecurity.Console, error) {
	keys, err := apisecurity.Generate()
	if err != nil {
		return apisecurity.Console{}, err
	}
	return s.Secure(app, keys)
}

// changeCertificate begins or ends a change of WeChat's certificate.
func changeCertificate(s *wechatsim.Sim, app string) (apisecurity.Console, error) {
	keys, err := apisecurity.Generate()
	if err != nil {
		return apisecurity.Console{}, err
	}
	return s.ChangeCertificate(app, keys.Verify)
}
