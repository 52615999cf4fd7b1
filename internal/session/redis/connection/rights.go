package connection

import "context"

// needed are the commands that a gateway uses, besides those that run a script: SECURITY.md grants
// the ACL user the same ones.
var needed = []string{
	"hello", "ping", "select", "client|setname", "info", "role", "scan", "wait", "get", "getrange", "set", "del", "pexpire", "pttl",
	"hget", "hgetall", "hset", "hdel", "xadd", "xrange", "xread", "xdel", "xinfo|stream",
	"incr", "incrby", "decrby", "hexists", "hlen", "hincrby", "zadd", "zcard", "zcount", "zrange", "zrem", "zscore", "zpopmin", "time",
}

// scriptRights returns which of the commands ARGV the ACL user may not run on the key. The script
// itself needs only the right to run scripts.
var scriptRights = NewScript(`#!lua flags=no-writes
local refused = {}
for _, command in ipairs(ARGV) do
	local words = {}
	for word in string.gmatch(command, '[^|]+') do
		words[#words + 1] = word
	end
	words[#words + 1] = KEYS[1]
	if not redis.acl_check_cmd(unpack(words)) then
		refused[#refused + 1] = command
	end
end
return refused
`)

// Refused returns which commands the ACL user may not run on a key. A subcommand is written as
// in an ACL, such as xinfo|stream.
func (c *Connection) Refused(ctx context.Context, key string, commands []string) ([]string, error) {
	return c.Run(ctx, scriptRights, []string{key}, commands).AsStrSlice()
}

// RefusedOfAll returns which of all commands that a gateway uses the ACL user may not run on a key.
func (c *Connection) RefusedOfAll(ctx context.Context, key string) ([]string, error) {
	return c.Refused(ctx, key, needed)
}
