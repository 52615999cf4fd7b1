package wechat

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat/guard"
	"github.com/wxgate/wxgate/internal/wechat/platform"
)

const (
	// riskCallTime bounds one request for a rank: a login waits for it.
	riskCallTime = 2 * time.Second
	// riskTime bounds how much longer a login takes, including the fetch of a token and a
	// second request.
	riskTime = 3 * time.Second
	// maxRanked is how many users' ranks are kept, of some 150 bytes each. A user beyond it
	// costs another call.
	maxRanked = 100_000
)

// RiskScene is the purpose for which WeChat ranks a user.
type RiskScene int

// WeChat's scenes.
const (
	RiskRegistration RiskScene = 0
	RiskMarketing    RiskScene = 1
	RiskUGC          RiskScene = 2 // content that users write or upload
)

// RiskConfig makes logins ask WeChat for the user's risk.
type RiskConfig struct {
	Scene RiskScene
	// Cache is how long a rank is used for the next logins of its user; 0: each login asks.
	Cache time.Duration
}

// risks asks for the risks of an app's users. It has a separate guard, so that logins work
// while WeChat's ranks are down.
type risks struct {
	config RiskConfig
	peer   peer
	calls  singleflight.Group // by openid
	kept   *lru.Cache[auth.OpenID, keptRisk]
}

type keptRisk struct {
	risk  auth.Risk
	until time.Time
}

func (c *Client) newRisks(cfg RiskConfig) (*risks, error) {
	r := &risks{config: cfg, peer: *c.peer}
	r.peer.guard = guard.New(c.dialect, string(c.cfg.AppID), maxInFlight)
	r.peer.callTime = riskCallTime
	var err error
	if r.kept, err = lru.New[auth.OpenID, keptRisk](maxRanked); err != nil {
		return nil, fmt.Errorf("creating the cache of risks: %w", err)
	}
	return r, nil
}

// Risk implements [auth.Platform] with POST getuserriskrank. Simultaneous logins of a user
// share one call. The call has no effects, so it may be retried.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/sec-center/safety-control-capability/getUserRiskRank.html
func (c *Client) Risk(ctx context.Context, openid auth.OpenID, address string) (auth.Risk, error) {
	if c.risks == nil {
		return 0, nil
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return 0, fmt.Errorf("%w: %s: the client's IP address is not known", auth.ErrAppMisconfigured, platform.CallRisk)
	}
	if kept, ok := c.risks.kept.Get(openid); ok && c.cfg.Now().Before(kept.until) {
		return kept.risk, nil
	}
	shared := c.risks.calls.DoChan(string(openid), func() (any, error) {
		if !c.tasks.begin() {
			return nil, fmt.Errorf("%w: the client is closed", auth.ErrWeChatUnreachable)
		}
		defer c.tasks.running.Done()
		ctx, end := c.tasks.outlive(ctx)
		defer end()
		return c.rank(ctx, openid, ip.Unmap().WithZone(""))
	})
	select {
	case <-ctx.Done():
		return 0, guard.CallerLeft(ctx)
	case result := <-shared:
		risk, _ := result.Val.(auth.Risk) // unknown if there is an error
		return risk, result.Err
	}
}

// rank asks WeChat, within riskTime, and caches the rank.
func (c *Client) rank(ctx context.Context, openid auth.OpenID, ip netip.Addr) (auth.Risk, error) {
	ctx, cancel := context.WithTimeout(ctx, riskTime)
	defer cancel()
	var risk auth.Risk
	err := c.withToken(ctx, func(ctx context.Context, token string) error {
		return guard.RetryOnce(ctx, c.dialect, func() (err error) {
			risk, err = c.userRisk(ctx, token, openid, ip)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	if c.risks.config.Cache > 0 {
		c.risks.kept.Add(openid, keptRisk{risk, c.cfg.Now().Add(c.risks.config.Cache)})
	}
	return risk, nil
}

func (c *Client) userRisk(ctx context.Context, token string, openid auth.OpenID, ip netip.Addr) (auth.Risk, error) {
	var response struct {
		Rank *int `json:"risk_rank"`
	}
	var risk auth.Risk
	err := c.risks.peer.do(ctx, platform.Request{
		Name:  platform.CallRisk,
		Path:  "/wxa/getuserriskrank",
		Query: url.Values{"access_token": {token}},
		Body: struct {
			AppID  auth.AppID  `json:"appid"`
			OpenID auth.OpenID `json:"openid"`
			Scene  RiskScene   `json:"scene"`
			IP     netip.Addr  `json:"client_ip"`
		}{c.cfg.AppID, openid, c.risks.config.Scene, ip},
		Secrets: []string{token, string(openid)},
	}, c.decode(platform.CallRisk, &response, func() error {
		ok := response.Rank != nil
		if ok {
			risk, ok = auth.RiskOf(*response.Rank)
		}
		if !ok {
			return platform.Incomplete(platform.CallRisk, "risk_rank")
		}
		return nil
	}))
	return risk, err
}
