-- Add entries until one does not fit; return how many were added. ARGV: how long to keep them,
-- the limits, and for each entry its ID, order, value, size and time.
local most, mostBytes, added = tonumber(ARGV[2]), tonumber(ARGV[3]), 0
for i = 4, #ARGV, 5 do
	if redis.call('HEXISTS', entries, ARGV[i]) == 0 then
		if not fits(tonumber(ARGV[i + 3]), most, mostBytes) then
			break
		end
		add(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
	end
	added = added + 1
end
keep(ARGV[1])
return added
