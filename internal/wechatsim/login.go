package wechatsim

// codeToSession is GET /sns/jscode2session (小程序登录凭证校验).
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html
//
// The page does not say in which order WeChat looks at its parameters; here
// it is app, secret, grant_type, code. Nothing is spent unless all four pass,
// except by a high-risk user, whose code is gone after the refusal.
func (s *Sim) codeToSession(c call) answer {
	if code := s.checkSecret(c.query.Get("appid"), c.query.Get("secret")); code != 0 {
		return failure(c.path, code)
	}
	if c.query.Get("grant_type") != "authorization_code" {
		return failure(c.path, errGrantType)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spendLogin(c)
}

// spendLogin answers who a login code of the call's app belongs to. Hold s.mu.
func (s *Sim) spendLogin(c call) answer {
	ticket, errcode := s.redeem(c.query.Get("appid"), c.query.Get("js_code"), refusals{errCodeMissing, errInvalidCode, errCodeUsed})
	if errcode != 0 {
		return failure(c.path, errcode)
	}
	if s.userOf(ticket.user).highRisk {
		return failure(c.path, errHighRisk)
	}
	who := s.begin(ticket)
	return success(struct {
		SessionKey string `json:"session_key"`
		OpenID     string `json:"openid"`
		UnionID    string `json:"unionid,omitempty"`
	}{who.sessionKey, who.openid, who.unionid})
}

// checkSecret returns the errcode for a wrong app or secret, 0 for a right one.
// The app comes first, as on the live service.
func (s *Sim) checkSecret(appid, secret string) int {
	app, known := s.appOn(WeChat, appid)
	switch {
	case appid == "":
		return errAppIDMissing
	case !known:
		return errAppID
	case secret == "":
		return errSecretMissing
	case secret != app.Secret:
		return errSecret
	}
	return 0
}
