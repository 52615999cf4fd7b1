package simserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
)

// wirePush is a [wechatsim.Push] in JSON, with its app.
type wirePush struct {
	AppID string `json:"appid"`
	wechatsim.Push
}

func pushTargets(pusher *simpush.Console) []wirePush {
	list := []wirePush{}
	for app, push := range pusher.Targets() {
		list = append(list, wirePush{AppID: app, Push: push})
	}
	slices.SortFunc(list, func(a, b wirePush) int { return strings.Compare(a.AppID, b.AppID) })
	return list
}

func setPushTarget(pusher *simpush.Console, r *http.Request) (any, error) {
	var in wirePush
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(pusher.Configure(r.Context(), in.AppID, in.Push))
}

func push(pusher *simpush.Console, r *http.Request) (any, error) {
	var in struct {
		wireUser
		Type    string `json:"type"`
		Value   string `json:"value"`
		Message string `json:"message"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(pusher.Push(r.Context(), in.user(), simpush.What{Type: in.Type, Value: in.Value, Message: in.Message}))
}
