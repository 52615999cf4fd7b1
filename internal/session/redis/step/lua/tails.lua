#!lua flags=no-writes
-- Return the server's ID, its role, the number of its good replicas ('' if its
-- configuration requires none), and the last ID of each stream.
local info = redis.call('INFO', 'server', 'replication')
local result = {
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
	table.insert(result, last)
end
return result
