package wechatsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// wireUser is a User in JSON, part of every call that is about one.
type wireUser struct {
	App    string `json:"appid"`
	OpenID string `json:"openid"`
	Name   string `json:"user"`
}

func (u wireUser) user() User { return User(u) }

// wirePhone is a PhoneNumber in JSON.
type wirePhone struct {
	Phone   string `json:"phone"`
	Country string `json:"country"`
}

func (p wirePhone) number() PhoneNumber {
	return PhoneNumber{Number: p.Phone, Country: p.Country}
}

// wireSealing is a Sealing in JSON. The timestamp is in Unix seconds.
type wireSealing struct {
	SessionKey string      `json:"session_key"`
	IV         string      `json:"iv"`
	AppID      string      `json:"watermark_appid"`
	Timestamp  json.Number `json:"watermark_timestamp"`
}

func (w wireSealing) sealing() (Sealing, error) {
	out := Sealing{SessionKey: w.SessionKey, IV: w.IV, AppID: w.AppID}
	if w.Timestamp != "" {
		seconds, err := w.Timestamp.Int64()
		if err != nil {
			return out, fmt.Errorf("reading watermark_timestamp: %w", err)
		}
		out.Timestamp = time.Unix(seconds, 0)
	}
	return out, nil
}

func manageCode(s *Sim, r *http.Request) (any, error) {
	var in struct {
		wireUser
		UnionID    string `json:"unionid"`
		SessionKey string `json:"session_key"`
		CorpID     string `json:"corpid"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.MintCode(in.user(), Login{UnionID: in.UnionID, SessionKey: in.SessionKey, CorpID: in.CorpID}))
}

func managePhoneCode(s *Sim, r *http.Request) (any, error) {
	var in struct {
		wireUser
		wirePhone
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return orNil(s.MintPhoneCode(in.user(), in.number()))
}

func manageCodeText(s *Sim, r *http.Request) (any, error) { return codeOnly(manageCode(s, r)) }

func managePhoneCodeText(s *Sim, r *http.Request) (any, error) {
	return codeOnly(managePhoneCode(s, r))
}

// codeOnly turns the JSON answer of a mint into its plain-text one.
func codeOnly(v any, err error) (any, error) {
	if minted, ok := v.(Code); ok {
		return minted.Code, err
	}
	return nil, err
}

// orNil gives up the value of a call that failed.
func orNil[V any](v V, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// aboutUser is a call that says no more than which user it is about.
func aboutUser(r *http.Request) (User, error) {
	var in wireUser
	err := input(r, &in)
	return in.user(), err
}

func manageSessionKey(s *Sim, r *http.Request) (any, error) {
	u, err := aboutUser(r)
	if err != nil {
		return nil, err
	}
	return orNil(s.SessionKey(u))
}

func manageRotate(s *Sim, r *http.Request) (any, error) {
	u, err := aboutUser(r)
	if err != nil {
		return nil, err
	}
	return orNil(s.RotateSessionKey(u))
}

func manageDrop(s *Sim, r *http.Request) (any, error) {
	u, err := aboutUser(r)
	if err != nil {
		return nil, err
	}
	return nil, s.DropSessionKey(u)
}

func manageHighRisk(s *Sim, r *http.Request) (any, error) {
	in := struct {
		wireUser
		HighRisk bool `json:"high_risk"`
	}{HighRisk: true}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	return nil, s.SetHighRisk(in.user(), in.HighRisk)
}
