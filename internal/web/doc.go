// Package web has the rules of browser sessions: the cookie that is their credential, and the
// ways in which they begin. A browser session is stored and revoked like any other session, but
// has a cookie in place of tokens.
//
// A browser gets a session through WeChat's sign-in for pages ([Service.Login]), with a ticket
// of the mini program around it ([Service.Enter]), or after a phone scanned a code and confirmed
// ([Service.Finish]).
package web
