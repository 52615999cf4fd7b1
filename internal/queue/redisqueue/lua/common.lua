-- The part shared by all scripts of a queue. A place in the index is order:seq:id, and seq is 16
-- hexadecimal digits, so that the places of an order sort from first to last.
local seqs, index, due, entries, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local times, places, bytes, dead, deadtimes = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local seen = KEYS[11]

-- now returns this server's time in milliseconds, so that the clocks of machines may differ.
local function now()
	local time = redis.call('TIME')
	return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- keep makes all keys expire, in case no machine is left to delete them.
local function keep(ms)
	for _, key in ipairs(KEYS) do
		redis.call('PEXPIRE', key, ms)
	end
end

local function first(order)
	return redis.call('ZRANGE', index, '[' .. order .. ':', '(' .. order .. ';', 'BYLEX', 'LIMIT', 0, 1)[1]
end

local function parse(place)
	return string.match(place, '^(.*):(%x+):([^:]+)$')
end

-- schedule sets when an order is due. If several orders are due in the same millisecond, the
-- order with the older entry comes first.
local function schedule(order, seq, ms)
	local fraction = (tonumber(string.sub(seq, -4), 16) % 1024) / 1024
	redis.call('ZADD', due, string.format('%.17g', ms + fraction), order)
end

-- place puts an entry into the index; its order is due at ms if it is the first.
local function place(order, seq, id, ms)
	local at = order .. ':' .. seq .. ':' .. id
	redis.call('ZADD', index, 0, at)
	if first(order) == at then
		schedule(order, seq, ms)
	end
	return at
end

-- leave removes an entry from the index; the next entry of its order has been due since it was
-- put into the queue.
local function leave(at)
	local order = parse(at)
	local head = first(order)
	redis.call('ZREM', index, at)
	if head ~= at then
		return
	end
	local behind = first(order)
	if behind then
		local _, seq, id = parse(behind)
		schedule(order, seq, math.min(now(), tonumber(redis.call('ZSCORE', times, id))))
	else
		redis.call('ZREM', due, order)
	end
end

-- add appends a new entry.
local function add(id, order, value, size, enqueued)
	local seq = string.format('%016x', redis.call('INCR', seqs))
	local at = place(order, seq, id, now())
	redis.call('HSET', entries, id, value)
	redis.call('HSET', places, id, size .. ':' .. at)
	redis.call('ZADD', times, enqueued, id)
	redis.call('INCRBY', bytes, size)
end

-- found returns the size and the place of an entry.
local function found(id)
	local value = redis.call('HGET', places, id)
	if value then
		return string.match(value, '^(%d+):(.*)$')
	end
end

-- remove deletes an entry.
local function remove(id)
	local size, at = found(id)
	leave(at)
	redis.call('HDEL', entries, id)
	redis.call('HDEL', places, id)
	redis.call('HDEL', attempts, id)
	redis.call('ZREM', times, id)
	redis.call('DECRBY', bytes, size)
end

-- fits reports whether there is room for an entry.
local function fits(size, most, mostBytes)
	local used = tonumber(redis.call('GET', bytes) or 0)
	return redis.call('HLEN', entries) < most and used + size <= mostBytes
end
