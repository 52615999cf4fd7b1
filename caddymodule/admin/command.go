package admin

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// Commands operate a running gateway over its admin API.
var Commands = []caddycmd.Command{
	{
		Name:      "status",
		Usage:     "[--json]",
		Short:     "Shows the state of a running wxgate: version, apps, store, keys, outcomes of the last minutes",
		CobraFunc: statusCommand,
	},
	{
		Name:      "token",
		Usage:     "inspect|mint",
		Short:     "Decodes an access token, or makes one for tests of an upstream",
		CobraFunc: tokenCommand,
	},
	{
		Name:      "keys",
		Usage:     "list|rotate|retire",
		Short:     "Lists, rotates and retires the signing keys of a running wxgate",
		CobraFunc: keysCommand,
	},
	{
		Name:      "sessions",
		Usage:     "list|show|end",
		Short:     "Lists, shows and ends sessions of a running wxgate",
		CobraFunc: sessionsCommand,
	},
	{
		Name:      "user",
		Usage:     "show|id|logout|export|erase --app <appid> --openid <openid>",
		Short:     "Shows, logs out, exports and erases a user of a running wxgate",
		CobraFunc: userCommand,
	},
	{
		Name:      "events",
		Usage:     "list|resend",
		Short:     "Shows the queues of events and pushes of a running wxgate, and delivers dead letters again",
		CobraFunc: eventsCommand,
	},
	{
		Name:      "session-key",
		Usage:     "check|reset --app <appid> --openid <openid>",
		Short:     "Checks or replaces WeChat's session_key of a user",
		CobraFunc: sessionKeyCommand,
	},
}
