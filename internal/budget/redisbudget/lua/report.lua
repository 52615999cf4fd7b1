-- Return 1 once for the window that began at ARGV[3], and 0 if it is not the current window.
local begin, used = current()
if begin ~= tonumber(ARGV[3]) then
	return 0
end
save(begin, used)
return redis.call('HSET', key, 'reported', 1)
