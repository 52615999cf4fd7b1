-- Settle an entry, unless it was claimed again since. ARGV: done, retry or bury, the entry's ID
-- and number of attempts. For retry: its order and value, and the delay in milliseconds. For
-- bury: its value, seq and time, the maximum number of dead letters, and how long to keep
-- them.
local verdict, id = ARGV[1], ARGV[2]
if redis.call('HGET', attempts, id) ~= ARGV[3] or redis.call('HEXISTS', entries, id) == 0 then
	return 0
end
if verdict == 'retry' then
	local size, at = found(id)
	local _, seq = parse(at)
	leave(at)
	at = place(ARGV[4], seq, id, now() + tonumber(ARGV[6]))
	redis.call('HSET', places, id, size .. ':' .. at)
	redis.call('HSET', entries, id, ARGV[5])
	return 1
end
remove(id)
if verdict == 'bury' then
	redis.call('HSET', dead, id, ARGV[5] .. ':' .. ARGV[4])
	redis.call('ZADD', deadtimes, ARGV[6], id)
	while redis.call('ZCARD', deadtimes) > tonumber(ARGV[7]) do
		redis.call('HDEL', dead, redis.call('ZPOPMIN', deadtimes)[1])
	end
	keep(ARGV[8])
end
return 1
