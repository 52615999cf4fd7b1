// Package wechat is a client of WeChat's server API for one mini program, service account
// or website, or of the API of a sibling platform: it exchanges login and phone codes, caches
// the app's access token, and forwards calls of upstreams.
//
// Start with [New]: a [Client] is the [auth.Platform] of one app.
//
// # Codes are spent once
//
// A login code and a phone code are valid for one call, and a phone code costs money.
// A call that spends a code is never repeated once its request may have been written,
// neither by this package nor by net/http: see unreplayable in transport.go.
//
// # Secrets
//
// The app secret, codes, access tokens and signatures are in query strings. No error
// of this package quotes a URL, a request or a body. It quotes WeChat's message, after
// removing the secrets of the request.
//
// # Files and packages
//
// transport.go sends requests and knows nothing of WeChat; package guard bounds them, and
// package redact keeps their secrets out of errors. The calls are in exchange.go,
// weblogin.go, fetchtoken.go, phonenumber.go, usersession.go and minicode.go, and forward.go
// forwards the calls of upstreams. Package addresses has a list that is fetched. Package
// platform has what differs between platforms, with the error codes. Package opendata
// opens encrypted data, and package callback reads what WeChat pushes; both make no calls.
package wechat
