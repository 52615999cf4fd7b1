// Package wechatsim is WeChat's server, simulated from its documentation, for
// tests and for trying things out without a WeChat account.
//
// [New] returns a simulator with a handler of the API; package simserver serves it on
// two loopback ports. The API port is api.weixin.qq.com. The other port is the
// management side, for everything that no server of WeChat offers: the phone that calls
// wx.login, the button that encrypts a phone number, the clock, an outage.
//
//	sim, err := simserver.Start(ctx, wechatsim.Config{})
//	code, err := sim.Sim.MintCode(wechatsim.User{OpenID: "alice"}, wechatsim.Login{})
//	http.Get(sim.URL + "/sns/jscode2session?...&js_code=" + code.Code)
//
// The same from a shell; each method of [Sim] is a call on the second port, and GET /
// there lists them:
//
//	code=$(curl -s "$MANAGEMENT/code?openid=alice")
//
// # Siblings
//
// QQ, Douyin, Kuaishou, Xiaohongshu and WeCom are at the API port too, each
// below a [Platform.Prefix] instead of its host, with its own paths, fields
// and codes. An [App] has its platform; [Siblings] has one on each. Where a
// page of theirs is silent, a comment says what the code does.
//
// # Web logins
//
// Package simweb has the logins of official accounts and websites, whose pages WeChat serves on
// open.weixin.qq.com and the simulator on the API port, to this machine alone; and the codes
// that open a mini program. [WebApps] has one app of each kind.
//
// # Strictness
//
// The simulator refuses what WeChat refuses and is never kinder: a code works
// once, for five minutes, for one app and one purpose; a session_key dies at
// the next login; force_refresh is rationed. Where the documentation is
// silent, the choice made is written at the function that makes it.
//
// It imports no other package of wxgate. The gateway and the simulator are written
// separately from the same pages, so that tests show a misreading on one side. Package
// protocol has the shapes, error codes and messages of the responses.
//
// # What it does not simulate
//
// Phone codes, session checks and pushes of the siblings, IP allow-lists,
// per-user call frequencies, the expiry of a session_key (which WeChat does not
// publish), paid phone quotas, and every path that is not listed in routes. All
// state is in memory and gone at the end.
//
// # Guard rails
//
// The management side and the pages of web logins serve loopback peers only, and simserver
// refuses to listen for management on another address: a client of either can log in as any
// user, so other machines must not reach them even if a simulator is left in a production
// configuration.
package wechatsim
