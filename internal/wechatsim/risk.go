package wechatsim

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

const (
	// maxRiskRank is the highest rank of a user.
	maxRiskRank = 4
	// maxRiskScene is the highest scene.
	maxRiskScene = 2
	// riskVisit is how long after a visit WeChat ranks a user.
	riskVisit = 2 * time.Hour
)

// ErrBadRank means that a risk rank is not 0 to 4.
var ErrBadRank = errors.New("bad risk rank")

func checkRank(rank int) error {
	if rank < 0 || rank > maxRiskRank {
		return fmt.Errorf("%w: %d is not a number from 0 to %d", ErrBadRank, rank, maxRiskRank)
	}
	return nil
}

// SetRiskRank sets the rank that getuserriskrank returns for the user: 0, the default, to 4.
// The error is [ErrBadRank] or [ErrUnknownApp].
func (s *Sim) SetRiskRank(u User, rank int) error {
	if err := checkRank(rank); err != nil {
		return err
	}
	return s.change(u, func(rec *user) { rec.riskRank = rank })
}

// userRiskRank is POST /wxa/getuserriskrank (获取用户安全等级).
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/sec-center/safety-control-capability/getUserRiskRank.html
//
// A login is the visit that WeChat requires. A user whom no app has is an invalid openid.
// Arm a fault for the other codes of the page: 48001, 61007, 61080, 61081 and 9410009.
func (s *Sim) userRiskRank(c call) protocol.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, errcode := s.checkToken(c.query.Get("access_token"))
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	var in struct {
		AppID  string     `json:"appid"`
		OpenID string     `json:"openid"`
		Scene  *int       `json:"scene"`
		IP     netip.Addr `json:"client_ip"`
	}
	if code := protocol.Decode(c.body, &in); code != 0 {
		return failure(c.path, code)
	}
	who, known := s.users[userKey{app, in.OpenID}]
	switch {
	case in.AppID == "" || in.OpenID == "" || in.Scene == nil || !in.IP.IsValid():
		return failure(c.path, protocol.ErrDataFormat)
	case *in.Scene < 0 || *in.Scene > maxRiskScene:
		return failure(c.path, protocol.ErrScene)
	case in.AppID != app || !known && s.isUser(in.OpenID):
		return failure(c.path, protocol.ErrOpenIDOfOther)
	case !known:
		return failure(c.path, protocol.ErrOpenID)
	case s.Now().Sub(who.visited) > riskVisit:
		return failure(c.path, protocol.ErrNotVisited)
	}
	s.ranked++
	return protocol.Success(struct {
		ErrCode  int    `json:"errcode"`
		ErrMsg   string `json:"errmsg"`
		RiskRank int    `json:"risk_rank"`
		ID       int    `json:"unoin_id"` // WeChat's spelling; of the request
	}{0, "getuserriskrank succ", who.riskRank, s.ranked})
}

// isUser reports whether an openid is of a user of any app. Hold s.mu.
func (s *Sim) isUser(openid string) bool {
	for key := range s.users {
		if key.openid == openid {
			return true
		}
	}
	return false
}
