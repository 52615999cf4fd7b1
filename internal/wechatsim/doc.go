// Package wechatsim is WeChat's server, simulated from its documentation, for
// tests and for trying things out without a WeChat account.
//
// [Start] gives a running simulator on two loopback ports; [New] gives the
// handlers alone. The API port plays api.weixin.qq.com. The other port plays
// everything that happens where no server sees it: the phone that calls
// wx.login, the button that encrypts a phone number, the clock, the outage.
//
//	sim, err := wechatsim.Start(ctx, wechatsim.Config{})
//	code, err := sim.Sim.MintCode(wechatsim.User{OpenID: "alice"}, wechatsim.Login{})
//	http.Get(sim.URL + "/sns/jscode2session?...&js_code=" + code.Code)
//
// The same from a shell, as every Go method has its twin on the second port
// (GET / there lists them):
//
//	code=$(curl -s "$MANAGEMENT/code?openid=alice")
//
// # Siblings
//
// QQ, Douyin, Kuaishou, Xiaohongshu and WeCom answer at the API port too, each
// below a [Platform.Prefix] that stands for its host, with its own paths, fields
// and codes. An [App] says where it lives; [Siblings] has one on each. What a page
// of theirs does not say is said at the code that had to choose.
//
// # Strictness
//
// The simulator refuses what WeChat refuses and is never kinder: a code works
// once, for five minutes, for one app and one purpose; a session_key dies at
// the next login; force_refresh is rationed. Where the documentation is
// silent, the choice made is written at the function that makes it.
//
// It imports nothing of ours. The gateway and the simulator read the same
// pages separately, so that one misreading cannot pass on both sides.
//
// # What it does not simulate
//
// Phone codes, session checks and pushes of the siblings, TLS, IP allow-lists,
// per-user call frequencies, the expiry of a session_key (which WeChat does not
// publish), paid phone quotas, and every path that is not listed in routes. All
// state is in memory and gone at the end.
//
// # Guard rails
//
// The management side answers loopback peers only and [Start] refuses to bind
// it elsewhere: who reaches it can log in as anyone, so that a simulator left
// in a production configuration must not be reachable to be useful.
package wechatsim
