-- Add an entry, unless its order has an entry that was not attempted yet. ARGV: how long to
-- keep it, and the entry's ID, order, value, size and time.
local order = ARGV[3]
for _, at in ipairs(redis.call('ZRANGE', index, '[' .. order .. ':', '(' .. order .. ';', 'BYLEX')) do
	local _, _, id = parse(at)
	if redis.call('HEXISTS', attempts, id) == 0 then
		return 0
	end
end
add(ARGV[2], order, ARGV[4], ARGV[5], ARGV[6])
keep(ARGV[1])
return 1
