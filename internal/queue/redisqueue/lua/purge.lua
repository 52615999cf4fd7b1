-- Delete entries and dead letters that were put until a given time, at most 1000 of each;
-- return how many. ARGV: the time.
local live = redis.call('ZRANGE', times, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 1000)
for _, id in ipairs(live) do
	remove(id)
end
local letters = redis.call('ZRANGE', deadtimes, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 1000)
for _, id in ipairs(letters) do
	redis.call('HDEL', dead, id)
	redis.call('ZREM', deadtimes, id)
end
return #live + #letters
