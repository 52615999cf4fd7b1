-- Claim the first entry of the first order that is due. ARGV: the duration of the lease. Return
-- the entry's ID, seq, value and number of attempts, or how long to wait; nothing if there is
-- no entry.
local time = now()
local head = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
if #head == 0 then
	return {}
end
local at = math.floor(tonumber(head[2]))
if at > time then
	return {tostring(at - time)}
end
local _, seq, id = parse(first(head[1]))
schedule(head[1], seq, time + tonumber(ARGV[1]))
local count = redis.call('HINCRBY', attempts, id, 1)
return {id, seq, redis.call('HGET', entries, id), tostring(count)}
