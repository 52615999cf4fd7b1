-- Return dead letters to the queue until one does not fit; return how many. ARGV as in
-- append.lua.
local most, mostBytes, resent = tonumber(ARGV[2]), tonumber(ARGV[3]), 0
for i = 4, #ARGV, 5 do
	local id = ARGV[i]
	if redis.call('HEXISTS', dead, id) == 1 then
		if not fits(tonumber(ARGV[i + 3]), most, mostBytes) then
			break
		end
		redis.call('HDEL', dead, id)
		redis.call('ZREM', deadtimes, id)
		add(id, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
		resent = resent + 1
	end
end
keep(ARGV[1])
return resent
