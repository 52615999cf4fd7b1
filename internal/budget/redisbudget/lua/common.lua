-- The part shared by all scripts. ARGV begins with the length of a window and its offset, in ms.
local key, per, offset = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])

local function now()
	local time = redis.call('TIME')
	return time[1] * 1000 + math.floor(time[2] / 1000)
end

local time = now()

-- current returns when the current window began, and how many calls it has. If a clock was set
-- back, the current window continues: otherwise its calls would be allowed twice. A window
-- further in the future comes from a wrong clock.
local function current()
	local begin = math.floor((time + offset) / per) * per - offset
	local stored = tonumber(redis.call('HGET', key, 'begin') or 0)
	if stored < begin or stored > begin + per then
		return begin, 0
	end
	return stored, tonumber(redis.call('HGET', key, 'used'))
end

-- save writes the count of a window, and keeps it for two more windows: a clock may be set back.
local function save(begin, used)
	if tonumber(redis.call('HGET', key, 'begin') or 0) ~= begin then
		redis.call('HDEL', key, 'reported')
	end
	redis.call('HSET', key, 'begin', string.format('%d', begin), 'used', used)
	redis.call('PEXPIRE', key, string.format('%d', begin + 3 * per - time))
end
