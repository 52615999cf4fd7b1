-- Return the number of entries, their bytes, the time of the oldest, and the number of dead
-- letters.
local oldest = redis.call('ZRANGE', times, 0, 0, 'WITHSCORES')[2] or '0'
return {redis.call('HLEN', entries), tonumber(redis.call('GET', bytes) or 0), tonumber(oldest), redis.call('HLEN', dead)}
