// Package wechat is a client of WeChat's server API for one mini program, service account
// or website, or of the API of a sibling platform: it exchanges login and phone codes, caches
// the app's access token, and forwards calls of upstreams.
//
// Start with [New]: a [Client] is the [auth.Platform] of one app.
//
// # Codes are spent once
//
// A login code and a phone code are valid for one call, and a phone code costs money. Neither
// this package nor net/http repeats a call that spends a code once its request may have been
// written: see unreplayable in transport.go.
//
// # Secrets
//
// The app secret, codes, access tokens and signatures are in query strings. No error
// of this package quotes a URL, a request or a body. It quotes WeChat's message, after
// removing the secrets of the request.
//
// # Files and packages
//
// transport.go sends requests and has no code specific to WeChat. Package guard limits them,
// and package redact keeps their secrets out of errors. The calls are in exchange.go,
// weblogin.go, fetchtoken.go, phonenumber.go, usersession.go and minicode.go, and forward.go
// forwards the calls of upstreams. Package addresses has the list of WeChat's addresses.
// Package platform has the differences between platforms, with the error codes. Package
// opendata opens encrypted data, and package callback reads messages that WeChat pushes; both
// make no calls.
package wechat
