// Package wechat is WeChat's server API for one mini program, or that of one of
// its siblings: it spends login and phone codes, keeps the app's access token, and
// opens what the platform encrypted on the phone.
//
// Start with [New]: a [Client] is the [auth.Platform] of one app. Its
// [AccessTokens] are for whoever else calls WeChat in the app's name.
//
// # Never twice
//
// A login code and a phone code are good for one call, and a phone code costs
// money. A call that spends one is never repeated once its request may have been
// written, neither by us nor by net/http behind our back: see unreplayable in
// transport.go.
//
// # Secrets
//
// The app secret, codes, access tokens and signatures travel in query strings.
// No error of this package quotes a URL, a request or a body; WeChat's own words
// are kept, with whatever the request held of these taken out of them.
//
// # Layers
//
// peer (transport.go) moves bytes and knows nothing of WeChat. A dialect
// (dialect.go) says how one platform asks and answers: weixin.go, qq.go and so on,
// with WeChat's codes in errcode.go. The endpoints stand on both: exchange.go,
// fetchtoken.go, phonenumber.go, usersession.go. Open data, which asks nobody,
// is in opendata.go. What upstreams want of WeChat passes through forward.go,
// which adds the access token and leaves the rest alone.
package wechat
