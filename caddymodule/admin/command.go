package admin

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// Commands operate a running gateway over its admin API.
var Commands = []caddycmd.Command{
	{
		Name:      "keys",
		Usage:     "list|rotate|retire",
		Short:     "Lists, rotates and retires the signing keys of a running wxgate",
		CobraFunc: keysCommand,
	},
	{
		Name:      "user",
		Usage:     "logout --app <appid> --openid <openid>",
		Short:     "Ends every session of a user of a running wxgate",
		CobraFunc: userCommand,
	},
	{
		Name:      "session-key",
		Usage:     "check|reset --app <appid> --openid <openid>",
		Short:     "Checks or replaces WeChat's session_key of a user",
		CobraFunc: sessionKeyCommand,
	},
}
