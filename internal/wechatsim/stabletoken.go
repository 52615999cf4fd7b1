package wechatsim

import "time"

const (
	// forcePerDay is how often force_refresh works in a day: 20 times.
	forcePerDay = 20

	// forceInterval is the shortest time between two: 30 seconds.
	forceInterval = 30 * time.Second
)

// beijing is where WeChat's days begin and end.
var beijing = time.FixedZone("CST", 8*60*60)

// stableState is what WeChat remembers of one app's stable token.
type stableState struct {
	current  *accessToken
	forced   time.Time // the last force_refresh that was granted
	forcedOn string    // the day of it, in Beijing
	count    int       // how many were granted on that day
}

// stableInput is the body of the call. force_refresh must be a JSON boolean.
type stableInput struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh"`
}

// stableToken is POST /cgi-bin/stable_token (获取稳定版接口调用凭据). It
// never touches a token of /cgi-bin/token, nor that call one of these.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-access-token/getStableAccessToken.html
func (s *Sim) stableToken(c call) answer {
	var in stableInput
	if code := c.decode(&in); code != 0 {
		return failure(c.path, code)
	}
	if code := s.checkSecret(in.AppID, in.Secret); code != 0 {
		return failure(c.path, code)
	}
	if in.GrantType != "client_credential" {
		return failure(c.path, errGrantType)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.stable[in.AppID]
	if state == nil {
		state = &stableState{}
		s.stable[in.AppID] = state
	}
	if in.ForceRefresh {
		if code := state.force(s.Now()); code != 0 {
			return failure(c.path, code)
		}
		if state.current != nil {
			state.current.revoked = s.Now() // force_refresh leaves no overlap
		}
		state.current = s.newToken(in.AppID)
	}
	if state.current == nil || !s.Now().Before(state.current.expires.Add(-tokenOverlap)) {
		state.current = s.newToken(in.AppID) // the old one lives out its last minutes
	}
	return success(s.grantOf(state.current))
}

// force counts one force_refresh, or returns the errcode that refuses it: 45009
// when the day's twenty are used, 45011 when the last is not 30 seconds old.
// The page names both codes without saying which is for what.
func (st *stableState) force(now time.Time) int {
	day := now.In(beijing).Format(time.DateOnly)
	if day != st.forcedOn {
		st.forcedOn, st.count = day, 0
	}
	if st.count >= forcePerDay {
		return errDailyQuota
	}
	if !st.forced.IsZero() && now.Sub(st.forced) < forceInterval {
		return errMinuteQuota
	}
	st.count++
	st.forced = now
	return 0
}
