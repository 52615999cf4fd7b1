#!lua flags=no-writes
-- Which server this is, whether it is a master, how many good replicas it has ('' when it is not told to
-- want any), and the last ID that each stream gave out.
local info = redis.call('INFO', 'server', 'replication')
local answer = {
	string.match(info, 'run_id:(%w+)'),
	string.match(info, 'role:(%w+)'),
	string.match(info, 'min_slaves_good_slaves:(%d+)') or '',
}
for _, k in ipairs(KEYS) do
	local stream = redis.pcall('XINFO', 'STREAM', k)
	local last = '0-0' -- no such stream
	for i = 1, #stream, 2 do
		if stream[i] == 'last-generated-id' then
			last = stream[i + 1]
		end
	end
	table.insert(answer, last)
end
return answer
