#!lua flags=no-writes
-- Which server this is, and the last ID that each stream gave out.
local tails = { string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') }
for i, k in ipairs(KEYS) do
	local info = redis.pcall('XINFO', 'STREAM', k)
	tails[i + 1] = '0-0' -- no such stream
	for j = 1, #info, 2 do
		if info[j] == 'last-generated-id' then
			tails[i + 1] = info[j + 1]
		end
	end
end
return tails
