#!lua
-- One atomic step of the store: check that no value that was read has changed, then make
-- all changes. If a check fails, it changes nothing and returns 0.
--
-- ARGV is the number of checks, the checks (key, field, expected value) and then the
-- changes (name, key, arguments). A key is its index in KEYS.
local at = 0

local function arg()
	at = at + 1
	return ARGV[at]
end

local function key()
	return KEYS[tonumber(arg())]
end

-- A field of a hash is compared completely, a string by its beginning, which is unique
-- in a sealed record. If the expected value is empty, there must be no value.
for _ = 1, tonumber(arg()) do
	local k, field, want = key(), arg(), arg()
	local got
	if field ~= '' then
		got = redis.call('HGET', k, field) or ''
	else
		got = redis.call('GETRANGE', k, 0, math.max(#want, 1) - 1)
	end
	if got ~= want then
		return 0
	end
end

-- keep extends the life of a key to at least ms milliseconds from now.
local function keep(k, ms)
	local left = redis.call('PTTL', k)
	if left ~= -2 and left < tonumber(ms) then
		redis.call('PEXPIRE', k, ms)
	end
end

-- trim deletes a few of the oldest entries of a stream whose revocations no valid token can
-- match.
local function trim(k, now)
	for _, entry in ipairs(redis.call('XRANGE', k, '-', '+', 'COUNT', 16)) do
		local fields = entry[2]
		for i = 1, #fields, 2 do
			if fields[i] == 'u' and tonumber(fields[i + 1]) <= now then
				redis.call('XDEL', k, entry[1])
			end
		end
	end
end

-- keepSet is keep for a set whose life each login would extend. It extends the life by one
-- hour more than needed, so that most logins need not extend it.
local function keepSet(k, ms)
	if redis.call('PTTL', k) < tonumber(ms) then
		redis.call('PEXPIRE', k, ms + 3600000)
	end
end

-- prune removes at most that many ended members of a sorted set, and returns the number of
-- removed members.
local function prune(k, now, most)
	local ended = redis.call('ZRANGE', k, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
	if #ended > 0 then
		redis.call('ZREM', k, unpack(ended))
	end
	return #ended
end

local changes = {
	set = function(k) redis.call('SET', k, arg(), 'PX', arg()) end,
	del = function(k) redis.call('DEL', k) end,
	hset = function(k) redis.call('HSET', k, arg(), arg()) end,
	hdel = function(k) redis.call('HDEL', k, arg()) end,
	keep = function(k) keep(k, arg()) end,
	-- outgrow deletes a number unless it is higher.
	outgrow = function(k)
		if tonumber(redis.call('GET', k) or 0) <= tonumber(arg()) then
			redis.call('DEL', k)
		end
	end,
	xdel = function(k) redis.call('XDEL', k, arg()) end,
	-- grow raises a number, and never lowers it.
	grow = function(k)
		local n, ms = arg(), arg()
		if tonumber(redis.call('GET', k) or 0) < tonumber(n) then
			redis.call('SET', k, n, 'KEEPTTL')
		end
		keep(k, ms)
	end,
	-- person lists a user under a unionid for at least ms milliseconds, and removes expired
	-- users.
	person = function(k)
		local user, ms = arg(), arg()
		local time = redis.call('TIME')
		local now = time[1] * 1000 + math.floor(time[2] / 1000)
		local expiry = now + tonumber(ms)
		local fields = redis.call('HGETALL', k)
		for i = 1, #fields, 2 do
			local ends = tonumber(fields[i + 1])
			if fields[i] == user then
				expiry = math.max(expiry, ends)
			elseif ends <= now then
				redis.call('HDEL', k, fields[i])
			end
		end
		redis.call('HSET', k, user, string.format('%.0f', expiry))
		keep(k, ms)
	end,
	-- count lists a session until it ends, and its user at least as long. A new session
	-- also removes a few ended members.
	count = function(sessions)
		local users = key()
		local id, user, ends, ms, now = arg(), arg(), arg(), arg(), arg()
		local new = redis.call('ZADD', sessions, ends, id)
		redis.call('ZADD', users, 'GT', ends, user)
		if new == 1 and prune(sessions, now, 16) > 0 then
			prune(users, now, 16)
		end
		keepSet(sessions, ms)
		keepSet(users, ms)
	end,
	-- recount lists a user, if listed, until another time, which may be earlier.
	recount = function(users)
		local user, ends = arg(), arg()
		redis.call('ZADD', users, 'XX', ends, user)
	end,
	uncount = function(k) redis.call('ZREM', k, arg()) end,
	forget = function(k)
		local now = arg()
		repeat until prune(k, now, 1000) < 1000
	end,
	-- revoke appends a revocation: its record, how long it is valid by this server's
	-- clock, when it was made, and by which replica.
	revoke = function(k)
		local time = redis.call('TIME')
		local now = time[1] * 1000 + math.floor(time[2] / 1000)
		local blob, ms, made, replica = arg(), arg(), arg(), arg()
		local expiry = string.format('%.0f', now + tonumber(ms))
		redis.call('XADD', k, '*', 'b', blob, 'u', expiry, 't', made, 'r', replica)
		trim(k, now)
		keep(k, ms)
	end,
}

while at < #ARGV do
	local change = changes[arg()]
	change(key())
end
return 1
