package simserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// wireUser is a [wechatsim.User] in JSON, part of every call about a user.
type wireUser struct {
	App    string `json:"appid"`
	OpenID string `json:"openid"`
	Name   string `json:"user"`
}

func (u wireUser) user() wechatsim.User { return wechatsim.User(u) }

// wirePhone is a [wechatsim.PhoneNumber] in JSON.
type wirePhone struct {
	Phone   string `json:"phone"`
	Country string `json:"country"`
}

func (p wirePhone) number() wechatsim.PhoneNumber {
	return wechatsim.PhoneNumber{Number: p.Phone, Country: p.Country}
}

// wireSealing is a [wechatsim.Sealing] in JSON. The timestamp is in Unix seconds.
type wireSealing struct {
	SessionKey string      `json:"session_key"`
	IV         string      `json:"iv"`
	AppID      string      `json:"watermark_appid"`
	Timestamp  json.Number `json:"watermark_timestamp"`
}

func (w wireSealing) sealing() (wechatsim.Sealing, error) {
	out := wechatsim.Sealing{SessionKey: w.SessionKey, IV: w.IV, AppID: w.AppID}
	if w.Timestamp != "" {
		seconds, err := w.Timestamp.Int64()
		if err != nil {
			return out, fmt.Errorf("reading watermark_timestamp: %w", err)
		}
		out.Timestamp = time.Unix(seconds, 0)
	}
	return out, nil
}

func code(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		wireUser
		UnionID    string `json:"unionid"`
		SessionKey string `json:"session_key"`
		CorpID     string `json:"corpid"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.MintCode(in.user(), wechatsim.Login{UnionID: in.UnionID, SessionKey: in.SessionKey, CorpID: in.CorpID}))
}

func phoneCode(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		wireUser
		wirePhone
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.MintPhoneCode(in.user(), in.number()))
}

func pluginCode(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		wireUser
		Host string `json:"host"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.MintPluginCode(in.user(), in.Host))
}

func pluginCodeText(s *wechatsim.Sim, r *http.Request) (any, error) {
	return codeOnly(pluginCode(s, r))
}

func codeText(s *wechatsim.Sim, r *http.Request) (any, error) { return codeOnly(code(s, r)) }

func phoneCodeText(s *wechatsim.Sim, r *http.Request) (any, error) {
	return codeOnly(phoneCode(s, r))
}

// codeOnly returns the code alone, for the plain-text calls.
func codeOnly(v any, err error) (any, error) {
	if minted, ok := v.(wechatsim.Code); ok {
		return minted.Code, err
	}
	return nil, err
}

// orNil returns no value with an error.
func orNil[V any](v V, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// aboutUser reads the input of a call that has no members but the user's.
func aboutUser(r *http.Request) (wechatsim.User, error) {
	var in wireUser
	err := input(r, &in)
	return in.user(), err
}

func sessionKey(s *wechatsim.Sim, r *http.Request) (any, error) {
	u, err := aboutUser(r)
	if err != nil {
		return nil, err
	}
	return orNil(s.SessionKey(u))
}

func rotate(s *wechatsim.Sim, r *http.Request) (any, error) {
	u, err := aboutUser(r)
	if err != nil {
		return nil, err
	}
	return orNil(s.RotateSessionKey(u))
}

func drop(s *wechatsim.Sim, r *http.Request) (any, error) {
	u, err := aboutUser(r)
	if err != nil {
		return nil, err
	}
	return nil, s.DropSessionKey(u)
}

func highRisk(s *wechatsim.Sim, r *http.Request) (any, error) {
	in := struct {
		wireUser
		HighRisk bool `json:"high_risk"`
	}{HighRisk: true}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return nil, s.SetHighRisk(in.user(), in.HighRisk)
}

func riskRank(s *wechatsim.Sim, r *http.Request) (any, error) {
	var in struct {
		wireUser
		RiskRank int `json:"risk_rank"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return nil, s.SetRiskRank(in.user(), in.RiskRank)
}
