-- Add the record KEYS[1] with the value ARGV[1] for ARGV[2] ms. Return 0 if it exists.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
	return 1
end
return 0
