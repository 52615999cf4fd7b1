#!lua
-- The generic cell rate algorithm: the value of the key is when the allowance is complete
-- again, in microseconds of this server's clock. It returns how many microseconds to wait,
-- or 0 if one unit was taken.
local each, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local whole = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = whole - now - each * (burst - 1)
if wait > 0 then
	return math.ceil(wait)
end
whole = whole + each
redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000))
return 0
