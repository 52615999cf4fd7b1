-- Return how many entries there are, their bytes, the time of the oldest, and how many dead
-- letters there are.
local oldest = redis.call('ZRANGE', times, 0, 0, 'WITHSCORES')[2] or '0'
return {redis.call('HLEN', entries), tonumber(redis.call('GET', bytes) or 0), tonumber(oldest), redis.call('HLEN', dead)}
