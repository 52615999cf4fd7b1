-- Replace the value of the record KEYS[1], which must be ARGV[1], by ARGV[2], or delete the
-- record without ARGV[2]. Return 0 if there is no such record, and 2 if its value differs.
local value = redis.call('GET', KEYS[1])
if not value then
	return 0
end
if value ~= ARGV[1] then
	return 2
end
if ARGV[2] then
	redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else
	redis.call('DEL', KEYS[1])
end
return 1
