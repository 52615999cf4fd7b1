-- Add an entry and remember its ID, unless the ID is known. ARGV: how long to keep all keys,
-- the limits, how many IDs to remember, for how long, and the entry's ID, order, value, size
-- and time. Return 1 if the entry was added, 0 if its ID is known, -1 if it does not fit.
keep(ARGV[1]) -- a write in any case, so that WAIT also waits for what an earlier attempt wrote
local id, time = ARGV[6], now()
local known = tonumber(redis.call('ZSCORE', seen, id) or -1)
if known > time - tonumber(ARGV[5]) or redis.call('HEXISTS', entries, id) == 1 or redis.call('HEXISTS', dead, id) == 1 then
	return 0
end
if not fits(tonumber(ARGV[9]), tonumber(ARGV[2]), tonumber(ARGV[3])) then
	return -1
end
for _, old in ipairs(redis.call('ZRANGE', seen, '-inf', time - tonumber(ARGV[5]), 'BYSCORE', 'LIMIT', 0, 16)) do
	redis.call('ZREM', seen, old)
end
while redis.call('ZCARD', seen) >= tonumber(ARGV[4]) do
	redis.call('ZPOPMIN', seen)
end
add(id, ARGV[7], ARGV[8], ARGV[9], ARGV[10])
redis.call('ZADD', seen, time, id)
keep(ARGV[1])
return 1
