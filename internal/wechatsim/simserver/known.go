package simserver

import (
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simpush"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

// wireAbout is what a client needs to know to make the other calls.
type wireAbout struct {
	API        string       `json:"api"`
	Paths      []string     `json:"paths"`
	FaultKinds []fault.Kind `json:"fault_kinds"`
	PushTypes  []string     `json:"push_types"`
}

func about(api string) wireAbout {
	return wireAbout{API: api, Paths: wechatsim.Paths(), FaultKinds: fault.Kinds(), PushTypes: simpush.Types()}
}

// wireApp is a [wechatsim.App] in JSON, with the URL of its platform's API.
type wireApp struct {
	AppID       string             `json:"appid"`
	Secret      string             `json:"secret"`
	Platform    wechatsim.Platform `json:"platform"`
	Kind        simweb.Kind        `json:"kind,omitempty"`
	MiniProgram string             `json:"miniprogram"`
	API         string             `json:"api"`
}

func apps(s *wechatsim.Sim, api string) []wireApp {
	list := []wireApp{}
	for _, a := range s.Apps() {
		list = append(list, wireApp{AppID: a.ID, Secret: a.Secret, Platform: a.Platform, Kind: a.Kind, MiniProgram: a.MiniProgram, API: api + a.Platform.Prefix()})
	}
	return list
}

// wireState is a [wechatsim.UserState] in JSON.
type wireState struct {
	wireUser
	wirePhone
	NickName   string `json:"nickname"`
	UnionID    string `json:"unionid"`
	CorpID     string `json:"corpid"`
	SessionKey string `json:"session_key"`
	HighRisk   bool   `json:"high_risk"`
	RiskRank   int    `json:"risk_rank"`
}

func users(s *wechatsim.Sim, _ *http.Request) (any, error) {
	list := []wireState{}
	for _, u := range s.Users() {
		list = append(list, wireState{
			wireUser:   wireUser(u.User),
			wirePhone:  wirePhone{Phone: u.Phone.Number, Country: u.Phone.Country},
			NickName:   u.NickName,
			UnionID:    u.UnionID,
			CorpID:     u.CorpID,
			SessionKey: u.SessionKey,
			HighRisk:   u.HighRisk,
			RiskRank:   u.RiskRank,
		})
	}
	return list, nil
}
